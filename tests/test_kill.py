"""kill -9 at random moments: the same command again goes on, and ends as if nothing had happened.

The processes are forked from one that has imported the program already: what is killed is the work,
and not seconds of imports.
"""

import csv
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest_cli import TINY, run_well
from conftest_isic import write_isic, write_pair

from lesionseg.cli.main import NOTHING_TO_TRAIN, main
from lesionseg.data import FolderDataset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system"),
]
KILLS = 10
ENOUGH = 3  # really killed, where the computer has become faster meanwhile
FIT = [
    "fit",
    *TINY,
    "--model=MobileGAN",  # dropout, batch normalisation, two optimizers
    "--model.schedule=one-cycle",
    "--data.augmentation=[horizontal_flip,gamma]",
    "--data.batch_size=2",
    "--trainer.max_epochs=8",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.logger.init_args.version=version_0",
]
RUN = Path("runs") / "version_0"


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lesionseg.cli.trainer", "lesionseg.data", "kornia.geometry"])
    process = context.Process(target=os.getpid)
    process.start()
    process.join()  # now it has imported them
    return context


def program(arguments, folder):
    """A process of the command line; what it prints goes to ``log.txt``."""
    os.chdir(folder)
    if arguments == FIT:
        resumes = (RUN / "checkpoints" / "last.ckpt").is_file()
        arguments = [*FIT, "--ckpt_path=last"] if resumes else FIT
        if not resumes:  # a best.ckpt of a first epoch that was cut off
            shutil.rmtree(RUN / "checkpoints", ignore_errors=True)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    code = main(arguments)
    raise SystemExit(0 if code == NOTHING_TO_TRAIN else code)


def seconds(context, target, *arguments):
    """How long a process takes that nobody disturbs."""
    process = context.Process(target=target, args=arguments)
    started = time.monotonic()
    process.start()
    process.join(120)
    assert process.exitcode == 0, Path(arguments[-1], "log.txt").read_text()
    return time.monotonic() - started


def kill(context, delays, target, *arguments):
    """How many of several processes, one after the other, were killed before they ended."""
    killed = 0
    for delay in delays:
        process = context.Process(target=target, args=arguments)
        process.start()
        process.join(delay)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    return killed


def kill_after_an_epoch(context, folder):
    """Kill a fit as soon as it has a checkpoint."""
    process = context.Process(target=program, args=(FIT, folder))
    process.start()
    while process.is_alive() and not (folder / RUN / "checkpoints" / "last.ckpt").is_file():
        time.sleep(0.01)
    process.kill()
    process.join()


def files(folder):
    """Contents by name, of all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "log.txt"
    }


def rows(folder):
    """Rows of the metrics: those of steps and validations, and those of whole epochs."""
    parts = [], []
    with (folder / RUN / "metrics.csv").open() as stream:
        for row in csv.DictReader(stream):
            parts[bool(row["train/generator/loss_epoch"])].append(row)
    return parts


def same(one, other, where=""):
    """Whether nested lists and dicts of tensors and plain values are equal, bit for bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            same(first, second, f"{where}/{number}")
    elif torch.is_tensor(one):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


@pytest.fixture(scope="module")
def straight(context, tmp_path_factory):
    """A fit that nobody disturbs, and its seconds."""
    folder = tmp_path_factory.mktemp("straight")
    return folder, seconds(context, program, FIT, folder)


def test_fit_ends_with_the_same_weights(context, straight, tmp_path):
    reference, duration = straight
    moments = random.Random(0)
    # so short that it is not done long before the last kill, so long that some finish an epoch
    delays = [moments.uniform(0.05, 0.3) * duration for _ in range(KILLS)]
    assert kill(context, delays, program, FIT, tmp_path) >= ENOUGH
    kill_after_an_epoch(context, tmp_path)  # a busy machine may not have finished any so far
    time.sleep(1.1)  # what the last one had just begun is not yet taken for abandoned
    seconds(context, program, FIT, tmp_path)
    assert "Restored all states" in (tmp_path / "log.txt").read_text()

    for name in ("best", "last"):
        one, other = (
            torch.load(folder / RUN / "checkpoints" / f"{name}.ckpt", weights_only=True)
            for folder in (reference, tmp_path)
        )
        training = ("optimizer_states", "lr_schedulers") if name == "last" else ()
        for key in ("state_dict", "epoch", "global_step", *training):
            same(one[key], other[key], f"{name}/{key}")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["version_0"]
    left = [name for name in files(tmp_path / RUN) if not name.startswith("metrics-")]
    assert sorted(left) == sorted(files(reference / RUN))  # but metrics of fits without checkpoint
    for name in ("overlays/epoch-007.png", "splits/train.txt"):
        assert (tmp_path / RUN / name).read_bytes() == (reference / RUN / name).read_bytes()

    steps, epochs = rows(tmp_path)
    assert (steps, epochs[-1]) == (rows(reference)[0], rows(reference)[1][-1])
    # those of an epoch come behind its checkpoint, so that a kill between the two loses them
    names = [row["epoch"] for row in epochs]
    assert names == sorted(set(names))


def test_a_finished_fit_is_left_as_it_is(context, straight):
    folder, _ = straight
    before = files(folder / RUN)
    seconds(context, program, FIT, folder)
    after = files(folder / RUN)
    assert before == after


def test_predict_ends_with_the_same_files(context, straight, tmp_path):
    checkpoint = straight[0] / RUN / "checkpoints" / "best.ckpt"
    predict = ["predict", *TINY, "--data.test_length=60", f"--ckpt_path={checkpoint}"]
    predict += ["--output.probabilities=true", "--trainer.logger=false"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    duration = seconds(context, program, predict, whole)
    moments = random.Random(1)
    delays = [moments.uniform(0, duration) for _ in range(KILLS)]
    assert kill(context, delays, program, predict, broken) >= ENOUGH
    time.sleep(1.1)  # as above
    seconds(context, program, predict, broken)
    assert files(broken) == files(whole)
    assert len(files(whole)) == 3 * 60 + 1


def build_cache(images, masks, folder):
    FolderDataset(images, masks, size=(96, 128)).cached(folder)


def test_a_cache_ends_with_the_same_bytes(context, tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    for number in range(250):
        write_pair(images / f"{number}.jpg", masks / f"{number}.png", (300, 400), number)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    duration = seconds(context, build_cache, images, masks, whole)
    moments = random.Random(2)
    killed = 0
    for _ in range(KILLS):
        delay = moments.uniform(0, 0.7) * duration
        killed += kill(context, [delay], build_cache, images, masks, broken)
        for store in broken.rglob("[!.]*.store"):  # it was quicker
            store.unlink()
    assert killed >= ENOUGH
    seconds(context, build_cache, images, masks, broken)
    assert files(broken) == files(whole)


def test_cross_validation_ends_with_the_same_scores(tmp_path):
    """Its jobs are processes of their own, which end with it."""
    write_isic(tmp_path, 2018, "train", 9)
    validate = [sys.executable, "-m", "lesionseg.cli", "cross-validate", "--num-folds=2"]
    validate += ["--jobs=2", "--model=MobileGAN", "--data=ISICDataModule", "--output=out"]
    validate += [f"--data.root={tmp_path}", "--data.size=[32,32]", "--data.batch_size=2"]
    validate += ["--trainer.accelerator=cpu", "--trainer.max_epochs=6"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    started = time.monotonic()
    printed = run_well(*validate, cwd=whole)
    duration = time.monotonic() - started
    moments = random.Random(3)
    killed = 0
    while killed < KILLS:
        with subprocess.Popen(
            validate,
            cwd=broken,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                process.wait(moments.uniform(0.1, 0.7) * duration)
                shutil.rmtree(broken / "out")  # it was quicker: once more from the start
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
    assert run_well(*validate, cwd=broken).splitlines()[:9] == printed.splitlines()[:9]
    for name in ("scores.csv", "folds.json", "folds.csv"):
        assert (broken / "out" / name).read_bytes() == (whole / "out" / name).read_bytes()
    results = {
        folder: files(folder / "out" / "masks")
        | {path.parent.name: path.read_bytes() for path in folder.glob("out/*/overlays.png")}
        for folder in (whole, broken)
    }
    assert results[whole] == results[broken]
    assert len(results[whole]) == 9 + 2
    assert list(broken.rglob(".unfinished-*")) == []
