"""The cache gives equal samples, is built once, and is never read incomplete or outdated."""

import errno
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from lesionseg.data import (
    FolderDataModule,
    FolderDataset,
    ISICDataModule,
    PairedDataset,
    collate_samples,
)
from lesionseg.data import cache as cache_module
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError

SIZE = (24, 32)


@pytest.fixture
def folders(tmp_path, pair_writer):
    """Seven images of differing sizes with masks."""
    for number in range(7):
        pair_writer(
            tmp_path / "x" / f"{number}.jpg",
            tmp_path / "y" / f"{number}.png",
            size=(40 + 30 * number, 150 - 10 * number),
            number=number,
        )
    return tmp_path / "x", tmp_path / "y"


def stores(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.store"))


def equal(first, second):
    """Samples or batches with the same keys, and the same bits in them."""
    assert first.keys() == second.keys()
    for key, value in first.items():
        if torch.is_tensor(value):
            assert value.dtype == second[key].dtype
            assert torch.equal(value, second[key])
        elif key == "truth":
            assert all(torch.equal(a, b) for a, b in zip(value, second[key], strict=True))
        else:
            assert value == second[key]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("with_truth", [False, True])
@pytest.mark.parametrize("with_masks", [False, True])
def test_samples_and_batches_are_equal_bit_for_bit(folders, tmp_path, with_truth, with_masks):
    images, masks = folders
    data = FolderDataset(images, masks if with_masks else None, SIZE, with_truth)
    cached = data.cached(tmp_path / "cache")
    assert isinstance(cached, FolderDataset)
    assert cached.ids == data.ids
    for index in range(len(data)):
        equal(data[index], cached[index])
    part = [data.ids[k] for k in (5, 0, 3)]
    for plain, read in zip(
        DataLoader(data.subset(part), 2, collate_fn=collate_samples),
        DataLoader(cached.subset(part), 2, collate_fn=collate_samples),
        strict=True,
    ):
        equal(plain, read)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.tuples(st.integers(1, 70), st.integers(1, 70)))
def test_every_size_has_its_store(folders, tmp_path, size):
    data = FolderDataset(*folders, size)
    cached = data.cached(tmp_path / "cache")
    for index in (0, 6):
        equal(data[index], cached[index])


def test_images_with_and_without_masks_side_by_side(folders, tmp_path):
    whole = FolderDataset(*folders, SIZE)
    pairs = [pair._replace(mask=pair.mask if k % 2 else None) for k, pair in enumerate(whole.pairs)]
    data = PairedDataset(pairs, SIZE)
    cached = data.cached(tmp_path / "cache")
    for plain, read in zip(cached.__getitems__(range(7)), data, strict=True):
        equal(plain, read)
    batch = next(iter(DataLoader(cached, 4, collate_fn=collate_samples)))
    assert "mask" not in batch


def test_torchs_own_collate_works_too(folders, tmp_path):
    data = FolderDataset(*folders, SIZE)
    plain, cached = (next(iter(DataLoader(d, 7))) for d in (data, data.cached(tmp_path / "cache")))
    assert torch.equal(plain["image"], cached["image"])
    assert torch.equal(plain["mask"], cached["mask"])
    assert plain["id"] == cached["id"]


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_map_the_store_themselves(folders, tmp_path, method):
    cached = FolderDataset(*folders, SIZE).cached(tmp_path / "cache")
    expected = cached[6]["image"]
    assert len(pickle.dumps(cached)) < 20_000
    loader = DataLoader(
        cached, 7, num_workers=1, multiprocessing_context=method, collate_fn=collate_samples
    )
    assert torch.equal(next(iter(loader))["image"][6], expected)


def test_the_second_time_nothing_is_decoded_or_written(folders, tmp_path, monkeypatch, capsys):
    data = FolderDataset(*folders, SIZE)
    data.cached(tmp_path / "cache")
    (path,) = stores(tmp_path)
    assert path.stat().st_size == 7 * 4 * 24 * 32
    assert path.with_suffix(".json").exists()
    assert "cache: 7 images at 24 x 32, 21.5 kB, in " in capsys.readouterr().err
    monkeypatch.setattr(cache_module, "write_store", None)
    read = []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path))
    cached = data.cached(tmp_path / "cache")
    assert read == []
    shutil.rmtree(folders[0])
    assert cached[3]["image"].shape == (3, 24, 32)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".store", ".json"])
@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: b"", lambda content: content + b"x", None],
)
def test_a_damaged_store_is_built_again(folders, tmp_path, damage, suffix, capsys):
    data = FolderDataset(*folders, SIZE)
    data.cached(tmp_path / "cache")
    (path,) = stores(tmp_path)
    broken = path.with_suffix(suffix)
    whole = broken.read_bytes()
    broken.unlink() if damage is None else broken.write_bytes(damage(whole))
    capsys.readouterr()
    equal(data.cached(tmp_path / "cache")[2], data[2])
    if broken != path or damage is not None:
        assert "incomplete or damaged" in capsys.readouterr().err
    assert stores(tmp_path) == [path]
    assert broken.read_bytes() == whole


@pytest.mark.parametrize("kind", ["image", "mask", "time"])
def test_a_changed_file_is_noticed_and_the_old_store_removed(
    folders, tmp_path, pair_writer, kind, capsys
):
    data = FolderDataset(*folders, SIZE)
    data.cached(tmp_path / "cache")
    FolderDataset(*folders, (8, 8)).cached(tmp_path / "cache")
    before = stores(tmp_path)
    image, mask = folders[0] / "2.jpg", folders[1] / "2.png"
    if kind == "time":  # as after an edit that keeps the length
        os.utime(image, ns=(1, 10**18))
    elif kind == "mask":
        Image.open(mask).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mask)
    else:
        pair_writer(image, None, size=(100, 130), number=9)
    capsys.readouterr()
    cached = data.cached(tmp_path / "cache")
    assert "files have changed" in capsys.readouterr().err
    equal(cached[2], data[2])
    after = stores(tmp_path)
    assert len(after) == 2  # the other size's is not touched
    assert len(set(after) & set(before)) == 1


def test_each_mask_rule_has_its_store(folders, tmp_path):
    for threshold in (None, 10, 200):
        data = FolderDataset(*folders, SIZE, mask_threshold=threshold)
        equal(data.cached(tmp_path / "cache")[2], data[2])
    assert len(stores(tmp_path)) == 3


def test_files_of_other_programs_in_the_folder_are_left_alone(folders, tmp_path):
    data = FolderDataset(*folders, SIZE)
    (tmp_path / "cache").mkdir()
    for name, text in (("a1.json", "[]"), ("4x4.json", '{"sizes": 1}'), ("0x.json", "{")):
        (tmp_path / "cache" / name).write_text(text)
    equal(data.cached(tmp_path / "cache")[2], data[2])
    assert len(list((tmp_path / "cache").glob("*.json"))) == 4


def test_two_data_sets_share_a_folder(folders, tmp_path, monkeypatch):
    data = FolderDataset(*folders, SIZE)
    parts = [data.subset(data.ids[:3]), data.subset(data.ids[3:])]
    for part in parts:
        part.cached(tmp_path / "cache")
    assert len(stores(tmp_path)) == 2
    monkeypatch.setattr(cache_module, "write_store", None)
    for part in parts:
        equal(part.cached(tmp_path / "cache")[0], part[0])


def test_a_file_that_cannot_be_read_is_named_and_leaves_nothing(folders, tmp_path):
    data = FolderDataset(*folders, SIZE)
    broken = folders[0] / "4.jpg"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:300])
    with pytest.raises(InvalidDataError, match=r"4\.jpg is truncated"):
        data.cached(tmp_path / "cache")
    assert stores(tmp_path) == []
    broken.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"4\.jpg does not exist"):
        data.cached(tmp_path / "cache")
    broken.write_bytes(whole)
    equal(data.cached(tmp_path / "cache")[4], data[4])


def test_a_full_disk_is_known_before(folders, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 5000, 5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(LesionsegError, match=r"too full .* 7 images .*21.5 kB: 5.0 kB are free in"):
        FolderDataset(*folders, SIZE).cached(tmp_path / "cache")
    assert stores(tmp_path) == []


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(folders, tmp_path, monkeypatch):
    def full(path, *_):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    data = FolderDataset(*folders, SIZE)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "write_store", full)
        with pytest.raises(LesionsegError, match="too full"):
            data.cached(tmp_path / "cache")
    assert stores(tmp_path) == []
    data.cached(tmp_path / "cache")


SCRIPT = """
import sys, time
from pathlib import Path
from lesionseg.data import FolderDataset
from lesionseg.data.datasets import paired as pairs

images, masks, cache, decoded, pause = sys.argv[1:]
plain = pairs.read_resized

def slow(path, size):
    time.sleep(float(pause))
    with open(decoded, "a") as file:
        file.write(path.name + chr(10))
    return plain(path, size)

pairs.read_resized = slow
data = FolderDataset(images, masks, (24, 32)).cached(cache)
print(float(data[3]["image"].mean()))
"""


def start(folders, tmp_path, pause):
    decoded = tmp_path / "decoded.txt"
    command = [sys.executable, "-c", SCRIPT, *folders, tmp_path / "cache", decoded, str(pause)]
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_of_four_processes_one_builds(folders, tmp_path):
    ranks = [start(folders, tmp_path, 0.2) for _ in range(4)]
    printed = [rank.communicate(timeout=120) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0] * 4, printed
    expected = FolderDataset(*folders, SIZE)[3]["image"].mean().item()
    assert [float(out) for out, _ in printed] == [expected] * 4
    assert sum("7 images" in err for _, err in printed) == 1
    names = (tmp_path / "decoded.txt").read_text().split()
    assert sorted(names) == [f"{number}.jpg" for number in range(7)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_build_starts_again(folders, tmp_path):
    process = start(folders, tmp_path, 1.0)
    for _ in range(600):
        if (tmp_path / "decoded.txt").exists():
            break
        time.sleep(0.1)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (left,) = stores(tmp_path)  # nothing could remove it; its name is not a store's
    assert left.name.startswith(".")
    data = FolderDataset(*folders, SIZE)
    cached = data.cached(tmp_path / "cache")
    for index in range(7):
        equal(data[index], cached[index])
    (whole,) = stores(tmp_path)
    assert whole != left


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_ctrl_c_leaves_nothing(folders, tmp_path):
    process = start(folders, tmp_path, 0.5)
    for _ in range(600):
        if (tmp_path / "decoded.txt").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("Ctrl-C is switched off where this runs")
    assert "KeyboardInterrupt" in err
    assert stores(tmp_path) == []


def test_modules_train_and_validate_from_the_cache(tmp_path, isic, capsys):
    isic(2018, "train", 6)
    for fold in range(2):
        options = {"split": "k-fold", "num_folds": 3, "fold": fold, "size": SIZE, "batch_size": 2}
        plain = ISICDataModule(tmp_path, **options)
        data = ISICDataModule(tmp_path, **options, cache=tmp_path / "cache")
        for module in (plain, data):
            module.setup("fit")
        equal(next(iter(data.train_dataloader())), next(iter(plain.train_dataloader())))
        equal(next(iter(data.val_dataloader())), next(iter(plain.val_dataloader())))
    assert len(stores(tmp_path)) == 1  # training and validation images of all folds
    assert capsys.readouterr().err.count("6 images") == 1


def test_testing_and_predicting_build_no_cache(tmp_path, isic, folders):
    isic(2018, "val", 3)
    for data in (
        ISICDataModule(tmp_path, size=SIZE, cache=tmp_path / "cache"),
        FolderDataModule(
            test_images=folders[0], test_masks=folders[1], size=SIZE, cache=tmp_path / "cache"
        ),
    ):
        for stage in ("test", "predict"):
            data.setup(stage)
    assert "truth" in next(iter(data.test_dataloader()))
    assert stores(tmp_path) == []


def test_folder_module_has_it_too(tmp_path, folders):
    data = FolderDataModule(*folders, size=SIZE, batch_size=2, cache=str(tmp_path / "cache"))
    data.setup("fit")
    assert next(iter(data.train_dataloader()))["image"].shape == (2, 3, 24, 32)
    assert len(stores(tmp_path)) == 1
