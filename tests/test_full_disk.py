"""A full disk: one sentence, and nothing half-written."""

import subprocess

import numpy as np
import pytest
from conftest_cli import TINY, lesionseg, one_sentence
from PIL import Image

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
