"""The command line in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

TINY = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_model_summary=false",
    "--data=SyntheticDataModule",
    "--data.size=[32,32]",
    "--data.train_length=8",
    "--data.val_length=4",
    "--data.test_length=3",
    "--data.batch_size=4",
]
#: A whole fit in less than a second, for ``cli.main``.
TINY_FIT = [
    "fit",
    "--model=Segmenter",
    "--model.network=segan",
    '--model.network_arguments={"width": 2}',
    "--data=SyntheticDataModule",
    "--data.size=[32,32]",
    "--data.train_length=4",
    "--data.val_length=2",
    "--data.test_length=2",
    "--data.batch_size=2",
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.num_sanity_val_steps=0",
]


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Runs a command on one thread, without terminal or input."""
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def run_well(*command: object, cwd: Path, **environment: str) -> str:
    """What a command prints that must succeed."""
    result = run(*command, cwd=cwd, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def lesionseg(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Runs ``lesionseg`` with these arguments."""
    return run(sys.executable, "-m", "lesionseg.cli", *arguments, cwd=cwd, **environment)


def one_sentence(result: subprocess.CompletedProcess) -> str:
    """The last line of stderr of a run that failed without a traceback."""
    assert result.returncode not in (0, None), result.stdout
    assert "Traceback" not in result.stderr, result.stderr
    lines = [line for line in result.stderr.splitlines() if "error: " in line]
    assert len(lines) == 1, result.stderr
    return lines[0]
