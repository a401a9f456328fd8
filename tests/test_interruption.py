"""Ctrl-C in the middle of a fit."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest_cli import TINY, lesionseg

FIT = [
    "fit",
    *TINY,
    "--model=Segmenter",
    "--model.network=smp:unet/resnet18",
    "--model.schedule=constant",
    "--data.train_length=400",
    "--trainer.logger.init_args.version=run",
]


@pytest.mark.slow
def test_ctrl_c_stops_with_a_word_and_the_next_run_goes_on(tmp_path):
    last = tmp_path / "runs" / "run" / "checkpoints" / "last.ckpt"
    with subprocess.Popen(
        [sys.executable, "-m", "lesionseg.cli", *FIT, "--trainer.max_epochs=500"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # a program started in the background may have Ctrl-C switched off, and hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        started = time.monotonic()
        while not last.exists() and time.monotonic() - started < 120:
            time.sleep(0.2)
        time.sleep(1)  # into the next epoch
        process.send_signal(signal.SIGINT)
        try:
            stderr = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode not in (0, None)
    assert "Traceback" not in stderr
    assert "nterrupt" in stderr
    resumed = lesionseg(
        *FIT,
        "--trainer.max_epochs=1000",
        f"--ckpt_path={last}",
        "--trainer.max_time=00:00:00:01",
        cwd=tmp_path,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "Restored all states" in resumed.stderr + resumed.stdout
