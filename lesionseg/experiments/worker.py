"""Run a training and its tests: ``python -m lesionseg.experiments.worker PROGRAM FOLDER``.

The folder's ``job.json`` is written by :class:`lesionseg.experiments.jobs.Job`. A finished test is
skipped, an interrupted training resumes from its last checkpoint. The log shows the ``lesionseg``
commands that are run.
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

#: Sections of the fit's configuration that a test uses; the model is in the checkpoint.
_SHARED = ("seed_everything", "trainer", "data")


def run(folder: Path, program: Callable[[Sequence[str]], int]) -> int:
    """Fit, test, and remove the checkpoints unless the job keeps them.

    Args:
        folder: Folder of the job.
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
        logger = [
            f"--trainer.logger.init_args.save_dir={folder.parent}",
            "--trainer.logger.init_args.name=",
            f"--trainer.logger.init_args.version={folder.name}",
        ]
        resume = [f"--ckpt_path={last}"] if last.is_file() else []
        if not resume:  # a best.ckpt of an interrupted first epoch
            shutil.rmtree(checkpoints, ignore_errors=True)
        progress = [
            "--trainer.callbacks+=lesionseg.callbacks.fit_display.ProgressFile",
            f"--trainer.callbacks.path={folder / PROGRESS}",
        ]
        # last.ckpt is always written
        kept = [] if job["epoch"] == "best" else ["--checkpoint.save_top_k=0"]
        code = _command(program, "fit", *job["fit"], *logger, *progress, *kept, *resume)
        if code not in (0, NOTHING_TO_TRAIN):
            return code
        model = _write_test_config(folder)
    for name, arguments in waiting.items():
        # a checkpoint names its class itself only if it is of this package
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
    """Write what the tests use of the fit's configuration; return the path of its model class."""
    saved = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    with atomic_path(folder / "test.yaml") as unfinished:
        text = yaml.safe_dump({key: saved[key] for key in _SHARED if key in saved})
        unfinished.write_text(text, encoding="utf-8")
    class_path: str = saved["model"]["class_path"]
    return class_path


def _end_with_parent() -> None:
    """End this process when its parent has ended, which closes its standard input."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock would outlive the thread
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    module, _, function = sys.argv[1].partition(":")
    sys.exit(run(Path(sys.argv[2]), getattr(import_module(module), function)))
