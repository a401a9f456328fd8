"""Which files ``lesionseg segment`` takes."""

from pathlib import Path

import pytest
from PIL import Image

from lesionseg.errors import LesionsegError
from lesionseg.inference.command import find_images


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
