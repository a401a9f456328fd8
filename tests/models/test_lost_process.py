"""One of two processes is killed in the middle of an epoch: the other ends, and the run resumes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest_cli import TINY

from lesionseg.cli.distributed import PROCESS_LOST

PATIENCE = 60.0
FIT = [
    "-m",
    "lesionseg.cli",
    "fit",
    *TINY,
    "--model=MobileGAN",
    "--trainer.max_epochs=3",
    "--trainer.enable_progress_bar=false",
    "--data.train_length=48",
    "--data.batch_size=2",
    "--overlays.images=0",
]
LAUNCHERS = {
    "lightning": [*FIT, "--trainer.devices=2", "--trainer.strategy=ddp"],
    "torchrun": ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *FIT],
}


def begin(launcher, folder):
    """Start the fit, or resume it where it has saved a checkpoint."""
    saved = folder / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    resume = ["--ckpt_path=last"] if saved.exists() else []
    return subprocess.Popen(
        [sys.executable, *LAUNCHERS[launcher], *resume],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # both processes', until the last one closes it
        text=True,
        start_new_session=True,
    )


def finish(process, seconds=180.0):
    """Its output; fails instead of waiting for ever."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"the processes did not end: {process.communicate()[0]}")


def weights(folder):
    path = folder / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["epoch"] == 2
    return checkpoint["state_dict"]


def worker(process, launcher, rank):
    """Process id of one rank of a run."""
    if rank == 0 and launcher == "lightning":
        return process.pid
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid:
                variables = (directory / "environ").read_bytes().split(b"\0")
                if f"LOCAL_RANK={rank}".encode() in variables:
                    return int(directory.name)
        except OSError:  # it has ended meanwhile
            continue
    raise AssertionError(f"there is no process of rank {rank}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = begin("torchrun", folder)
    output = finish(process)
    assert process.returncode == 0, output
    return weights(folder)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize(
    ("launcher", "rank"), [("lightning", 0), ("lightning", 1), ("torchrun", 1)]
)
def test_the_other_process_ends_with_a_sentence_and_the_run_goes_on(
    launcher, rank, undisturbed, tmp_path
):
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    with begin(launcher, tmp_path) as process:
        until = time.monotonic() + 120
        while not last.exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)  # into the next epoch
        os.kill(worker(process, launcher, rank), signal.SIGKILL)
        output = finish(process, PATIENCE)
    assert process.returncode != 0
    assert f"lesionseg: error: {PROCESS_LOST}" in output
    assert ("Traceback" in output) == (launcher == "torchrun")  # which has one of its own
    if rank == 0:  # once for each launcher is enough
        return
    again = begin(launcher, tmp_path)
    output = finish(again)
    assert again.returncode == 0, output
    assert "Restored all states" in output
    after = weights(tmp_path)
    assert [key for key, value in undisturbed.items() if not torch.equal(after[key], value)] == []
