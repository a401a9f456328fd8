"""Ctrl-C in the middle of a fit, a prediction and a cross-validation."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest_cli import TINY, lesionseg
from conftest_isic import write_isic
from PIL import Image

FIT = [
    "fit",
    *TINY,
    "--model=Segmenter",
    "--model.network=smp:unet/resnet18",
    "--model.schedule=constant",
    "--data.train_length=400",
    "--trainer.logger.init_args.version=run",
]


def interrupt(arguments, cwd, there, seconds=0.0, number=signal.SIGINT):
    """What a command says on stderr that gets a signal some time after a file is there."""
    with subprocess.Popen(
        [sys.executable, "-m", "lesionseg.cli", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # a program started in the background may have Ctrl-C switched off, and hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        started = time.monotonic()
        while not there() and time.monotonic() - started < 120:
            time.sleep(0.05)
        time.sleep(seconds)
        process.send_signal(number)
        try:
            stderr = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert stderr.endswith(f"lesionseg: error: {word}\n")
    return stderr


@pytest.mark.slow
def test_ctrl_c_stops_with_a_word_and_the_next_run_goes_on(tmp_path):
    last = tmp_path / "runs" / "run" / "checkpoints" / "last.ckpt"
    interrupt([*FIT, "--trainer.max_epochs=500"], tmp_path, last.exists, 1)  # into the next epoch
    resumed = lesionseg(
        *FIT,
        "--trainer.max_epochs=1000",
        f"--ckpt_path={last}",
        "--trainer.max_time=00:00:00:01",
        cwd=tmp_path,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "Restored all states" in resumed.stderr + resumed.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_half_prediction_is_left(tmp_path, number):
    fitted = lesionseg(*FIT, "--data.train_length=8", "--trainer.max_epochs=1", cwd=tmp_path)
    assert fitted.returncode == 0, fitted.stderr
    checkpoint = tmp_path / "runs" / "run" / "checkpoints" / "best.ckpt"
    predict = ["predict", *TINY, "--data.test_length=100000", f"--ckpt_path={checkpoint}"]
    masks = tmp_path / "predictions" / "masks"
    interrupt(predict, tmp_path, masks.exists, 0.5, number)
    left = [path for path in (tmp_path / "predictions").rglob("*") if path.is_file()]
    assert left
    for path in left:
        assert not path.name.startswith(".")
        with Image.open(path) as picture:
            picture.load()


@pytest.mark.slow
def test_ctrl_c_ends_a_cross_validation_with_its_jobs(tmp_path):
    write_isic(tmp_path, 2018, "train", 8)
    validate = ["cross-validate", "--num-folds=2", "--jobs=2", "--output=out", "--model=MobileGAN"]
    validate += ["--data=ISICDataModule", f"--data.root={tmp_path}", "--data.size=[32,32]"]
    validate += ["--trainer.accelerator=cpu", "--trainer.max_epochs=100000"]
    output = tmp_path / "out"
    last = output / "fold_0" / "checkpoints" / "last.ckpt"
    stderr = interrupt(validate, tmp_path, last.exists, 0.3)
    assert "resumes from here" in stderr
    before = last.stat().st_mtime_ns
    time.sleep(2)
    assert last.stat().st_mtime_ns == before  # nobody trains any more
    assert list(output.rglob(".unfinished-*")) == []
