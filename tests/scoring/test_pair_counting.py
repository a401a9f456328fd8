"""However many workers: the same table, the same error, and an end when told."""

import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from lesionseg.errors import InvalidDataError
from lesionseg.scoring import pair_counting
from lesionseg.scoring.predictions import score_predictions

PAIRS = 12
NAME = "ISIC_{:07d}_segmentation.png"


@pytest.fixture
def folders(tmp_path):
    """Pairs of differing sizes; every third prediction is of a format that few programs write."""
    generator = np.random.default_rng(0)
    for number in range(PAIRS):
        shape = (20 + 7 * number, 30)
        for name in ("truth", "prediction"):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            path = folder / NAME.format(number)
            mask = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
            mask.save(path, "TIFF" if number % 3 == 2 else "PNG")
    return tmp_path / "truth", tmp_path / "prediction"


def zipped(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folders", "zips"])
def test_workers_do_not_change_the_table(folders, pack):
    sources = [pack(folder) for folder in folders]
    one = score_predictions(*sources, workers=1)
    assert len(one) == PAIRS
    for workers in (2, 5, None):
        table = score_predictions(*sources, workers=workers)
        assert table.ids == one.ids
        np.testing.assert_array_equal(table.counts, one.counts)


@pytest.mark.filterwarnings("error")
def test_masks_of_panoramas_are_scored_without_pillows_warning(folders, monkeypatch):
    expected = score_predictions(*folders)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    np.testing.assert_array_equal(score_predictions(*folders).counts, expected.counts)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folders", "zips"])
def test_workers_do_not_change_which_error_is_told(folders, pack):
    truth, prediction = folders
    # the first of them takes long to be found broken, the others do not
    large = prediction / NAME.format(3)
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), dtype=np.uint8)
    Image.fromarray(noise).save(large)
    Image.fromarray(noise).save(truth / large.name)
    large.write_bytes(large.read_bytes()[:-50])
    (truth / NAME.format(4)).write_bytes(b"no image")
    (prediction / NAME.format(6)).write_bytes(b"")
    sources = [pack(folder) for folder in folders]
    messages = set()
    for workers in (1, 2, 5):
        with pytest.raises(InvalidDataError, match="not a readable image") as caught:
            score_predictions(*sources, workers=workers)
        messages.add(str(caught.value))
    (message,) = messages
    assert NAME.format(3) in message


def test_an_error_leaves_the_other_pairs_and_no_thread(folders, monkeypatch):
    counted = []

    def fail(truths, predictions, threshold, surface, pair):
        counted.append(pair.name)
        time.sleep(0.05)
        raise InvalidDataError(pair.name)

    monkeypatch.setattr(pair_counting, "_count", fail)
    threads = threading.active_count()
    with pytest.raises(InvalidDataError, match="ISIC_0000000"):
        score_predictions(*folders, workers=2)
    assert len(counted) < PAIRS
    assert threading.active_count() == threads


def test_no_workers_is_refused(folders):
    with pytest.raises(ValueError, match="workers to be at least 1, got 0"):
        score_predictions(*folders, workers=0)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_ends_with_a_word(folders):
    script = """
import sys, time
from lesionseg.cli import main as cli
from lesionseg.scoring import pair_counting

def slow(truths, predictions, threshold, surface, pair):
    if pair.name == "ISIC_0000000":
        print("begun", flush=True)
    time.sleep(1)
    return 1, 0, 0, 0

pair_counting._count = slow
sys.exit(cli.main(["score", *sys.argv[1:], "--workers", "2"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, folders)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a program started in the background may have Ctrl-C switched off, and hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert time.monotonic() - sent < PAIRS / 2  # what all pairs would take
    assert err == "lesionseg: error: interrupted\n"
    assert out == ""
