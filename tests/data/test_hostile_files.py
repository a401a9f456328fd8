"""Files that only claim to be images, that hang, or whose names cannot be shown."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from lesionseg.cli import main as cli
from lesionseg.cli.segment import find_images
from lesionseg.data import FolderDataset, Pair, PairedDataset, read_image, read_mask
from lesionseg.data.discovery.names import IMAGE_SUFFIXES, check_name
from lesionseg.data.io.decoding import RASTER_FORMATS, open_raster, read_orientation
from lesionseg.errors import InvalidDataError, printable, shorten

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 40\n%%EndComments\n%%EOF\n"
BAD_NAMES = [
    (b"a\x1b[31m.png", r"a\\x1b\[31m.png has control characters"),
    (b"a\nb.png", r"a\\nb.png has control characters"),
    (b"caf\xe9.png", r"caf\\udce9.png is not UTF-8 text"),
]

unix = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def draw(path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, "PNG")


@pytest.mark.parametrize("read", [read_image, read_mask, read_orientation])
def test_a_program_in_postscript_is_no_image(read, tmp_path, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("it runs"))
    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", lambda: True)
    path = tmp_path / "a.jpg"
    path.write_bytes(POSTSCRIPT)
    if read is read_orientation:
        assert read(path) == 1
    else:
        with pytest.raises(InvalidDataError, match=r"a\.jpg is truncated or not an image"):
            read(path)


def test_every_suffix_of_images_has_its_format():
    Image.init()
    suffixes = [suffix for suffix in IMAGE_SUFFIXES if suffix in Image.EXTENSION]
    assert len(suffixes) >= 12
    assert {Image.EXTENSION[suffix] for suffix in suffixes} <= set(RASTER_FORMATS)
    assert "EPS" not in RASTER_FORMATS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "TGA"])
def test_raster_formats_are_opened_whatever_the_name(kind, tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (5, 7)).save(path, kind)
    with path.open("rb") as file, open_raster(file) as image:
        assert (image.format, image.size) == (kind, (5, 7))
    assert read_image(path).size == (5, 7)


@pytest.mark.parametrize("kind", ["PCX", "ICO", "SGI", "EPS", "PDF"])
def test_other_formats_are_not(kind, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", kind)
    with pytest.raises(InvalidDataError, match="not an image"):
        read_image(tmp_path / "a.jpg")


@unix
def test_pipes_and_devices_are_refused(tmp_path):
    path = tmp_path / "a.png"
    os.mkfifo(path)
    link = tmp_path / "zero.png"
    link.symlink_to("/dev/zero")
    for one in (path, link):
        for read in (read_image, read_mask):
            with pytest.raises(
                InvalidDataError, match=r"png is a pipe or a device; give a regular"
            ):
                read(one)
        with pytest.raises(InvalidDataError, match="is not a regular file"):
            PairedDataset([Pair("a", one, None)]).cached(tmp_path / "cache")
    with pytest.raises(InvalidDataError, match=r"a\.png is a pipe or a device"):
        FolderDataset(tmp_path, size=(8, 8))[0]


@unix
@pytest.mark.parametrize(("name", "message"), BAD_NAMES)
def test_names_that_cannot_be_shown_are_refused_everywhere(name, message, tmp_path):
    path = tmp_path / os.fsdecode(name)
    draw(path)
    for use in (
        lambda: FolderDataset(tmp_path),
        lambda: FolderDataset([path]),
        lambda: find_images([path], tmp_path / "out"),
        lambda: find_images([tmp_path], tmp_path / "out"),
        lambda: check_name(path),
    ):
        with pytest.raises(InvalidDataError, match=message):
            use()


@unix
def test_such_names_are_left_out_where_that_is_asked_for(tmp_path):
    for name, _ in BAD_NAMES:
        draw(tmp_path / os.fsdecode(name))
    draw(tmp_path / "good.png")
    left_out = []
    assert find_images([tmp_path], tmp_path / "out", left_out) == [tmp_path / "good.png"]
    assert len(left_out) == len(BAD_NAMES)


@unix
def test_inspect_lists_such_names_among_the_problems(tmp_path, capsys):
    for name, _ in BAD_NAMES:
        draw(tmp_path / os.fsdecode(name))
    draw(tmp_path / "good.png")
    assert cli.main(["inspect", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.replace("\n", "").isprintable()
    assert said.count("; rename the file") == len(BAD_NAMES)


@pytest.mark.parametrize(
    "name", ["näme with space.png", "naï̈ve.png", "図.png", "🙂.png", "a\u202fb.png"]
)
def test_other_names_are_taken(name, tmp_path):
    draw(tmp_path / name)
    assert len(FolderDataset(tmp_path)) == 1
    assert find_images([tmp_path], tmp_path / "out") == [tmp_path / name]


@unix
@pytest.mark.parametrize(("name", "message"), BAD_NAMES)
def test_a_command_shows_such_a_name_with_escapes(name, message, tmp_path, capsys):
    path = tmp_path / os.fsdecode(name)
    draw(path)
    assert cli.main(["segment", str(path), "--model=m.ckpt", "--output", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()


def test_messages_are_shown_with_escapes(capsys):
    assert printable("a\x1b[2J\x9b\r\x07\udce9\u202eb\n\tc") == (
        r"a\x1b[2J\x9b\r\x07\udce9\u202eb" + "\n\tc"
    )
    assert printable("a\n\tb", breaks=False) == r"a\n\tb"
    assert printable("näme 図 🙂") == "näme 図 🙂"
    assert shorten(["a\x1b", "b\n"]) == r"a\x1b, b\n"
    assert cli.main(["score", "no\x1b[31m", "such"]) == 1
    assert "no\\x1b[31m" in capsys.readouterr().err


PROGRAM = """
from lesionseg.cli import main as cli
cli.main = lambda: print("caf\\udce9") or 3
cli.program()
"""


def test_results_in_a_folder_whose_name_is_no_text_are_told():
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, env=environment, check=False
    )
    assert (result.returncode, result.stdout.strip()) == (3, rb"caf\udce9")
