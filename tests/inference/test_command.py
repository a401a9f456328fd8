"""Which files ``lesionseg segment`` takes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.cli import main as cli
from lesionseg.cli.segment import find_images
from lesionseg.errors import LesionsegError
from lesionseg.inference import Segmentation, loading
from lesionseg.inference.saving import review_lines


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
    for name in ("a.xml", "b.XML", "LICENSE", "c.txt", ".hidden"):
        (folder / name).write_text("no image")
    code, said = segment(capsys, folder)
    assert code == 0
    assert "ignored: 4 files that are not images (1 .txt, 2 .xml, 1 LICENSE)" in said.err
    (folder / "0.png").unlink()
    for name in ("b.XML", "LICENSE", "c.txt"):
        (folder / name).unlink()
    code, said = segment(capsys, folder)
    assert code == 1
    assert "holds no image" in said.err
    assert "but 1 file that is not an image (1 .xml)" in said.err


@pytest.mark.parametrize(("colors", "remarked"), [("00", True), ("01", False), ("1", False)])
def test_masks_that_are_all_empty_are_remarked_on(tmp_path, used, capsys, colors, remarked):
    folder = images(tmp_path / "in", *[["black", "white"][int(one)] for one in colors])
    code, said = segment(capsys, folder)
    assert code == 0
    assert ("no lesion was found in any image" in said.err) == remarked


def test_formats_of_a_folder(tmp_path, used, capsys):
    folder = images(tmp_path / "in", "white", "black")
    (folder / "0_segmentation.png").write_bytes((folder / "1.png").read_bytes())  # a true mask
    code, said = segment(capsys, folder, "--format=json,coco,csv", "--pixel-spacing=0.5")
    assert code == 0
    assert "ignored: 1 file that is not an image (1 mask)" in said.err
    out = folder / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        *("0_segmentation.json", "1_segmentation.json", "coco.json", "measures.csv")
    ]
    with (out / "measures.csv").open() as file:
        full, empty = csv.DictReader(file)
    assert (full["area_mm2"], full["review"]) == ("6", "touches the border")
    assert (empty["area_mm2"], empty["review"]) == ("", "nothing found")
    told = json.loads((out / "coco.json").read_text())
    assert [image["file_name"] for image in told["images"]] == ["0.png", "1.png"]
    assert [each["image_id"] for each in told["annotations"]] == [1]
    assert "2 of 2 images are worth a second look:\n  0.png: touches the border\n" in said.out
    assert "1.png: nothing found" in said.out


def test_older_options_choose_formats_too(tmp_path, used, capsys):
    folder = images(tmp_path / "in", "white")
    segment(capsys, folder, "--no-overlays", "--probabilities")
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        *("0_probability.png", "0_segmentation.png", "measures.csv")
    ]


def test_wrong_values_are_said_before_anything_is_done(tmp_path, used, capsys):
    folder = images(tmp_path / "in", "white")
    for option, message in (
        ("--format=mask,jpeg", "expected formats to be some of mask, overlay"),
        ("--pixel-spacing=-1", "expected --pixel-spacing to be a positive number"),
        ("--format=dicom-seg", "0.png is none; choose another format"),
        (f"--output={folder}/0.png", "0.png is a file; give a folder"),
    ):
        code, said = segment(capsys, folder, option)
        assert code == 1
        assert message in said.err
        assert not (folder / "out").exists()


def test_a_long_summary_is_cut():
    lines = review_lines({str(number): ("low confidence",) for number in range(30)}, shown=3)
    assert lines[0] == "30 of 30 images are worth a second look:"
    assert len(lines) == 5
    assert lines[-1] == "  and 27 more (in all: low confidence 30)"
    assert review_lines({"a": ()}) == []
