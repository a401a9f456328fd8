"""Run a training and its tests: ``python -m lesionseg.experiments.worker PROGRAM FOLDER``.

The folder's ``job.json`` is written by :class:`lesionseg.experiments.jobs.Job`. What is done is not
done again: a finished test is skipped, a cut-off training goes on from its last checkpoint. The
commands are those of ``lesionseg``; the log shows them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from lesionseg.errors import NOTHING_TO_TRAIN
from lesionseg.experiments.jobs import PROGRESS
from lesionseg.files import atomic_path

#: What a test takes from the configuration that the fit saved; the model is in the checkpoint.
_SHARED = ("seed_everything", "trainer", "data")


def run(folder: Path, program: Callable[[Sequence[str]], int]) -> int:
    """Fit, test, and remove the checkpoints if the job says so.

    Args:
        folder: The job's.
        program: Runs a command of ``lesionseg``, given as its arguments; returns the exit code.

    Returns:
        The exit code of the first command that failed, else 0.
    """
    job: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    checkpoints = folder / "checkpoints"
    last = checkpoints / "last.ckpt"
    waiting = {
        name: arguments
        for name, arguments in job["tests"].items()
        if not (folder / name / "scores.csv").is_file()
    }
    if waiting:
        place = [
            f"--trainer.logger.init_args.save_dir={folder.parent}",
            "--trainer.logger.init_args.name=",
            f"--trainer.logger.init_args.version={folder.name}",
        ]
        resume = [f"--ckpt_path={last}"] if last.is_file() else []
        if not resume:  # a best.ckpt of a first epoch that was cut off
            shutil.rmtree(checkpoints, ignore_errors=True)
        shown = [
            "--trainer.callbacks+=lesionseg.callbacks.progress_file.ProgressFile",
            f"--trainer.callbacks.path={folder / PROGRESS}",
        ]
        # last.ckpt is written anyway
        chosen = [] if job["epoch"] == "best" else ["--checkpoint.save_top_k=0"]
        code = _command(program, "fit", *job["fit"], *place, *shown, *chosen, *resume)
        if code not in (0, NOTHING_TO_TRAIN):
            return code
        model = _write_test_config(folder)
    for name, arguments in waiting.items():
        # a checkpoint's word for its class is taken for this package's only
        common = (f"--config={folder / 'test.yaml'}", f"--model={model}", "--trainer.logger=false")
        checkpoint = f"--ckpt_path={checkpoints / job['epoch']}.ckpt"
        report = f"--report.directory={folder / name}"
        if code := _command(program, "test", *common, checkpoint, report, *arguments):
            return code
    if not job["keep_checkpoints"]:
        shutil.rmtree(checkpoints, ignore_errors=True)
    return 0


def _command(program: Callable[[Sequence[str]], int], *arguments: str) -> int:
    print(f"\n$ lesionseg {shlex.join(arguments)}", flush=True)
    return program(arguments)


def _write_test_config(folder: Path) -> str:
    """Write what the tests take from the fit's configuration; return the path of its model."""
    saved = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    with atomic_path(folder / "test.yaml") as unfinished:
        text = yaml.safe_dump({key: saved[key] for key in _SHARED if key in saved})
        unfinished.write_text(text, encoding="utf-8")
    class_path: str = saved["model"]["class_path"]
    return class_path


def _end_with_parent() -> None:
    """Ends this process when the other end of its standard input closes: its parent is gone."""

    def wait() -> None:
        os.read(0, 1)  # not through sys.stdin, whose lock would outlive the thread
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    module, _, function = sys.argv[1].partition(":")
    sys.exit(run(Path(sys.argv[2]), getattr(import_module(module), function)))
