"""Memory of the processes that read a cache, or batches of a loader."""

import multiprocessing
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from lesionseg.data import (
    Pair,
    PairedDataset,
    collate_samples,
)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_workers_share_the_pages(tmp_path):
    """Reading all of a store makes no private copy of it: its pages stay the system's."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    pairs = [Pair(str(number), tmp_path / "a.png", None) for number in range(40)]
    cached = PairedDataset(pairs, (512, 512)).cached(tmp_path / "cache")
    for index in range(len(cached)):
        cached[index]
    (path,) = tmp_path.rglob("*.store")
    _, mapping = Path("/proc/self/smaps").read_text().split(f" {path}\n")
    # not Private_Dirty: it counts pages of the file that the system has yet to write
    read, copied = (
        int(re.search(f"{name}: *([0-9]+) kB", mapping)[1]) * 1024 for name in ("Rss", "Anonymous")
    )
    assert read > 30e6
    assert copied == 0


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("cached", [True, False])
def test_memory_of_workers_stays_flat(tmp_path, cached):
    """Batches that become shared only on their way grow glibc's heap by one in most turns."""
    Image.new("RGB", (192, 256)).save(tmp_path / "a.png")
    data = PairedDataset([Pair(str(number), tmp_path / "a.png", None) for number in range(48)])
    loader = DataLoader(
        data.cached(tmp_path / "cache") if cached else data,
        12,
        num_workers=1,
        persistent_workers=True,
        collate_fn=collate_samples,
    )

    others = set(multiprocessing.active_children())  # of tests that ran in this process before

    def private():
        (worker,) = set(multiprocessing.active_children()) - others
        lines = Path(f"/proc/{worker.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if "Private_Dirty" in line) * 1024

    for _ in range(2):
        for _ in loader:
            pass
    before = private()
    for _ in range(8):
        for _ in loader:
            pass
    assert private() - before < 50e6  # 32 batches of 7 MB went through
