"""Which files ``lesionseg segment`` takes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.cli import main as cli
from lesionseg.cli.segment import find_images
from lesionseg.errors import LesionsegError
from lesionseg.inference import Segmentation, loading


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_files_and_folders_in_order(folder):
    other = folder / "sub"
    other.mkdir()
    Image.new("RGB", (4, 4)).save(other / "c.bmp")
    found = find_images([other / "c.bmp", folder], Path("out"))
    assert [path.name for path in found] == ["c.bmp", "a.png", "b.JPG"]
    assert find_images([folder / "a.png", folder / "a.png"], Path("out")) == [folder / "a.png"]


def test_what_cannot_be_is_said(folder):
    with pytest.raises(LesionsegError, match="nowhere"):
        find_images([folder / "nowhere"], Path("out"))
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(LesionsegError, match="holds no image"):
        find_images([empty], Path("out"))
    (empty / "a.bmp").write_bytes(b"")
    with pytest.raises(LesionsegError, match="both be written to a_segmentation"):
        find_images([folder / "a.png", empty], Path("out"))


def test_results_of_an_earlier_run_are_no_images(folder):
    (folder / "a_overlay.png").write_bytes(b"")
    (folder / "c_overlay.png").write_bytes(b"")
    found = find_images([folder], folder)
    assert [path.name for path in found] == ["a.png", "b.JPG", "c_overlay.png"]
    assert len(find_images([folder], Path("out"))) == 4


@pytest.fixture
def used(monkeypatch):
    """Devices that are asked for; the predictor finds what is white, and what is brightest."""
    devices = []

    def predictor(image):
        mask = np.asarray(image.convert("L")) > 200
        return Segmentation(mask, mask.astype(np.float32))

    def load(path, device, augmentation, postprocess):
        devices.append(device)
        return predictor

    monkeypatch.setattr(loading, "load_predictor", load)
    return devices


def images(folder, *colors):
    folder.mkdir()
    for number, color in enumerate(colors):
        Image.new("RGB", (6, 4), color).save(folder / f"{number}.png")
    return folder


def segment(capsys, folder, *options):
    code = cli.main(["segment", str(folder), "--model=a.ckpt", f"--output={folder}/out", *options])
    return code, capsys.readouterr()


def test_a_gpu_is_used_unless_another_device_is_named(tmp_path, used, capsys):
    folder = images(tmp_path / "in", "white")
    assert segment(capsys, folder)[0] == 0
    assert segment(capsys, folder, "--device=cpu")[0] == 0
    assert used == ["auto", "cpu"]


def test_files_that_are_no_images_are_mentioned(tmp_path, used, capsys):
    folder = images(tmp_path / "in", "white")
    assert "ignored" not in segment(capsys, folder)[1].err
    for name in ("a.dcm", "b.DCM", "LICENSE", "c.txt", ".hidden"):
        (folder / name).write_text("no image")
    code, said = segment(capsys, folder)
    assert code == 0
    assert "ignored: 4 files that are not images (2 .dcm, 1 .txt, 1 LICENSE)" in said.err
    assert "save DICOM files as PNG or JPEG" in said.err
    (folder / "0.png").unlink()
    for name in ("b.DCM", "LICENSE", "c.txt"):
        (folder / name).unlink()
    code, said = segment(capsys, folder)
    assert code == 1
    assert "holds no image" in said.err
    assert "but 1 file that is not an image (1 .dcm); save DICOM" in said.err


@pytest.mark.parametrize(("colors", "remarked"), [("00", True), ("01", False), ("1", False)])
def test_masks_that_are_all_empty_are_remarked_on(tmp_path, used, capsys, colors, remarked):
    folder = images(tmp_path / "in", *[["black", "white"][int(one)] for one in colors])
    code, said = segment(capsys, folder)
    assert code == 0
    assert ("no lesion was found in any image" in said.err) == remarked
