"""Submissions of a stranger: what is huge, hangs, lies or is no picture is refused at once."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from lesionseg.cli import main as cli
from lesionseg.errors import InvalidDataError
from lesionseg.scoring.mask_source import open_source
from lesionseg.scoring.predictions import score_predictions

NAME = "ISIC_0000000_segmentation.png"
SHAPE = (40, 60)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 40\n%%EndComments\n%%EOF\n"

unix = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def png(mask, **options):
    stream = BytesIO()
    Image.fromarray(mask).save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "truth"
    folder.mkdir()
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:30, 10:30] = 255
    (folder / NAME).write_bytes(png(mask))
    return folder


@pytest.fixture
def archive(tmp_path):
    """A function that writes a zip of one entry."""

    def write(content, name=NAME, method=zipfile.ZIP_DEFLATED):
        path = tmp_path / "prediction.zip"
        with zipfile.ZipFile(path, "w", method) as file:
            file.writestr(name, content)
        return path

    return write


def refused(truth, prediction, message):
    with pytest.raises(InvalidDataError, match=message) as caught:
        score_predictions(truth, prediction)
    return str(caught.value)


def peak(work):
    """Most bytes that Python held while it worked."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_far_larger_than_its_truth_is_not_unpacked(truth, archive, method):
    path = archive(bytes(48 << 20), method=method)
    assert path.stat().st_size < 100_000
    held = peak(lambda: refused(truth, path, f"{NAME} in .*zip has more than the 1.1 MB"))
    assert held < 8 << 20


def test_a_file_far_larger_than_its_truth_is_not_read(truth, tmp_path):
    prediction = tmp_path / "prediction"
    prediction.mkdir()
    with (prediction / NAME).open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    held = peak(lambda: refused(truth, prediction, "has more than the 1.1 MB"))
    assert held < 8 << 20


def test_a_true_mask_that_shrinks_too_much_is_not_unpacked(truth, tmp_path):
    path = tmp_path / "truth.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(NAME, bytes(48 << 20))
    held = peak(lambda: refused(path, truth, r"has more than the \d+\.\d MB"))
    assert held < 8 << 20


def test_an_entry_that_holds_more_than_it_declares_is_refused(truth, archive):
    path = archive(bytes(3 << 20))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(signature) + offset
        content[place : place + 4] = struct.pack("<I", 100)
    path.write_bytes(content)
    refused(truth, path, "is damaged")


def test_entries_that_overlap_are_limited_in_total(truth, tmp_path):
    """A bomb whose many entries share one compressed stream."""
    path = tmp_path / "prediction.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(NAME, bytes(15 << 20))
        info = file.infolist()[0]
        file.filelist += [info] * 99
    refused(truth, path, "would unpack to 1573 MB, far more than its own size allows")


def test_uncompressed_masks_in_a_zip_are_taken(truth, tmp_path):
    """They shrink more than any picture should."""
    mask = np.zeros((2000, 2000), np.uint8)
    for name, kind in (("t", "BMP"), ("p", "TIFF")):
        stream = BytesIO()
        Image.fromarray(mask).save(stream, kind)
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for number in range(3):
                file.writestr(f"ISIC_000000{number}.{kind}", stream.getvalue())
        assert (tmp_path / f"{name}.zip").stat().st_size < 3 * mask.size / 500
    assert len(score_predictions(tmp_path / "t.zip", tmp_path / "p.zip")) == 3


def test_sizes_are_compared_before_pixels_are_decoded(truth, archive, monkeypatch):
    path = archive(png(np.zeros((9000, 9000), np.uint8)))  # 81 MB of pixels
    load = Image.Image.load
    seen = []
    monkeypatch.setattr(Image.Image, "load", lambda image: seen.append(image.size) or load(image))
    from PIL import ImageFile

    whole = ImageFile.ImageFile.load
    monkeypatch.setattr(
        ImageFile.ImageFile, "load", lambda image: seen.append(image.size) or whole(image)
    )
    refused(truth, path, "is 9000 pixels high and 9000 wide, its truth 40 pixels high and 60 wide")
    assert seen
    assert set(seen) == {SHAPE[::-1]}  # the truth


def test_a_mask_turned_by_90_degrees_is_of_another_size(truth, archive):
    path = archive(png(np.zeros(SHAPE[::-1], np.uint8)))
    refused(truth, path, "is 60 pixels high and 40 wide, its truth 40 pixels high and 60 wide")


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("which", ["truth", "prediction"])
def test_a_program_in_postscript_is_no_mask(truth, archive, tmp_path, monkeypatch, pack, which):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("it runs"))
    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", lambda: True)
    if pack:
        hostile = archive(POSTSCRIPT)
    else:
        hostile = tmp_path / "hostile"
        hostile.mkdir()
        (hostile / NAME).write_bytes(POSTSCRIPT)
    refused(*((hostile, truth) if which == "truth" else (truth, hostile)), "not a readable image")


# -- damage ------------------------------------------------------------------------------------


def test_a_zip_cut_off_or_changed_anywhere_is_named(truth, tmp_path):
    """Whatever byte is damaged: a score, or one sentence that names the zip."""
    sound = (truth / NAME).read_bytes()
    path = tmp_path / "prediction.zip"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as file:
            file.writestr(NAME, sound)
        content = path.read_bytes()
        for place in range(0, len(content), 3):
            for damaged in (
                content[:place],
                content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :],
            ):
                path.write_bytes(damaged)
                try:
                    score_predictions(truth, path)
                except InvalidDataError as error:
                    assert "prediction.zip" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("offset", "value"), [(10, 99), (10, 14), (6, 0xFFFF), (8, 1)], ids=str
)  # compression method, version, encryption
def test_entries_that_cannot_be_unpacked_are_named(truth, archive, offset, value):
    path = archive((truth / NAME).read_bytes())
    content = bytearray(path.read_bytes())
    for signature, shift in ((b"PK\x01\x02", 0), (b"PK\x03\x04", -2)):
        place = content.index(signature) + offset + shift
        content[place : place + 2] = struct.pack("<H", value)
    path.write_bytes(content)
    refused(truth, path, r"prediction\.zip")


# -- what hangs --------------------------------------------------------------------------------


HANGS = """
import sys, time
from lesionseg.cli import main as cli
from lesionseg.scoring import mask_source

def hang(self, entry, most):
    print("begun", flush=True)
    time.sleep(1000)

mask_source.Folder.read = hang
sys.argv = ["lesionseg", "score", *sys.argv[1:], "--workers", "1"]
cli.program()
"""


@unix
@pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "terminated"), (2, "interrupted")])
def test_a_file_that_hangs_does_not_outlive_a_signal(truth, number, word):
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, truth, truth],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert f"lesionseg: error: {word}\n" in said


@unix
@pytest.mark.parametrize("linked", [False, True])
def test_pipes_and_devices_are_refused(truth, tmp_path, linked):
    prediction = tmp_path / "prediction"
    prediction.mkdir()
    if linked:
        (prediction / NAME).symlink_to("/dev/zero")
    else:
        os.mkfifo(prediction / NAME)
    refused(truth, prediction, f"{NAME} is a pipe or a device")
    os.mkfifo(tmp_path / "p.zip")
    refused(truth, tmp_path / "p.zip", r"p\.zip is a pipe or a device")


@unix
def test_a_link_to_a_mask_is_followed(truth, tmp_path):
    (tmp_path / "prediction").mkdir()
    (tmp_path / "prediction" / NAME).symlink_to(truth / NAME)
    assert score_predictions(truth, tmp_path / "prediction").summary()["jaccard"] == 1


# -- names -------------------------------------------------------------------------------------


@unix
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"ISIC_0000000\x1b[31m.png", r"ISIC_0000000\\x1b\[31m.png has control characters"),
        (b"ISIC_0000000\xe9.png", r"ISIC_0000000\\udce9.png is not UTF-8 text"),
        (b"ISIC_0000000\n.png", r"ISIC_0000000\\n.png has control characters"),
    ],
)
def test_names_that_cannot_be_shown_are_refused(truth, tmp_path, name, shown):
    prediction = tmp_path / "prediction"
    prediction.mkdir()
    shutil.copy(truth / NAME, prediction / os.fsdecode(name))
    refused(truth, prediction, shown)


def test_a_zip_does_not_command_the_terminal(truth, archive, capsys):
    path = archive(png(np.zeros((5, 5), np.uint8)), name="\x1b]0;owned\x07/ISIC_0000000.png")
    assert cli.main(["score", str(truth), str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lesionseg: error: \\x1b]0;owned\\x07/ISIC_0000000.png in ")
    path = archive(png(np.zeros((5, 5), np.uint8)), name="ISIC_0000000\x1b[2J.png")
    assert cli.main(["score", str(truth), str(path)]) == 1
    assert "\x1b" not in capsys.readouterr().err


def test_predictions_left_out_are_named_without_control_characters(truth, caplog, tmp_path):
    prediction = tmp_path / "prediction"
    shutil.copytree(truth, prediction)
    (prediction / "ISIC_0000001\x1b[31m.png").touch()
    score_predictions(truth, prediction)
    assert r"ISIC_0000001\x1b[31m.png" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_source_says_what_it_wants(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with (
        pytest.raises(InvalidDataError, match="neither a folder nor a readable zip"),
        open_source(tmp_path / "x.zip", "prediction"),
    ):
        pass
