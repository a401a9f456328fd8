"""A full disk: one sentence, and nothing half-written."""

import subprocess
from collections import namedtuple

import numpy as np
import pytest
from conftest_cli import TINY, lesionseg, one_sentence
from conftest_server import archive_server, facts_of, zipped
from PIL import Image

from lesionseg.data import download_isic
from lesionseg.data.archives import ARCHIVES
from lesionseg.data.download import isic as download
from lesionseg.errors import LesionsegError
from lesionseg.files import atomic_path


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small file system can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_fit_says_so_and_keeps_no_broken_checkpoint(small_disk):
    result = lesionseg(
        "fit",
        *TINY,
        "--model=ASNet",
        "--trainer.max_epochs=1",
        "--overlays.images=0",
        cwd=small_disk,
    )
    assert "disk is full" in one_sentence(result)
    assert [path for path in small_disk.rglob("*.ckpt") if path.stat().st_size] == []


def test_a_result_that_does_not_fit_leaves_the_earlier_one(small_disk):
    target = small_disk / "mask.png"
    Image.new("L", (8, 8)).save(target)
    before = target.read_bytes()
    noise = np.random.default_rng(0).integers(0, 255, (2000, 2000), dtype=np.uint8)
    with pytest.raises(OSError, match="space"), atomic_path(target) as temporary:
        Image.fromarray(noise).save(temporary)
    assert target.read_bytes() == before
    assert list(small_disk.iterdir()) == [target]


@pytest.mark.parametrize("size", [1_200_000, 2_500_000])
def test_a_download_says_so_keeps_what_came_and_goes_on(small_disk, monkeypatch, size):
    noise = np.random.default_rng(0).bytes(size)
    zips = {
        "Images": zipped({"Images/ISIC_0000000.jpg": noise}),
        "Masks": zipped({"Masks/ISIC_0000000_segmentation.png": b"mask"}),
    }
    monkeypatch.setitem(ARCHIVES, 2018, {"train": facts_of(zips, 1)})
    # Another program takes the room after we have looked.
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patched, archive_server() as server:
        patched.setattr(download.shutil, "disk_usage", lambda path: usage(9e9, 0, 9e9))
        server.files = {f"/2018/{name}.zip": data for name, data in zips.items()}
        with pytest.raises(LesionsegError, match=r"the disk of .*disk is full; make room"):
            download_isic(small_disk, 2018, mirror=server.url, workers=1)
        part = small_disk / "Images.zip.part"
        came = part.stat().st_size
        assert part.read_bytes() == zips["Images"][:came]
        assert {path.name for path in small_disk.iterdir()} == {
            ".lesionseg-download.lock",
            "Images.zip.part",
        }
        subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
        download_isic(small_disk, 2018, mirror=server.url)
        assert (small_disk / "Images" / "ISIC_0000000.jpg").read_bytes() == noise
        later = server.gets("/2018/Images.zip")[1:]
        assert later == ([f"bytes={came}-"] if came < len(zips["Images"]) else [])
