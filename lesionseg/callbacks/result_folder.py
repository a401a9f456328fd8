"""Where the results of a test belong: beside the run, and apart from every other test's."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from lesionseg.callbacks.provenance import same_test
from lesionseg.errors import LesionsegError
from lesionseg.pretrained import WEIGHTS, is_packaged
from lesionseg.run_folder import CHECKPOINTS

RECORD = "scores.json"
"""The file of a test's folder that tells what was tested."""


def home_of(checkpoint: Path | None, default: Path) -> tuple[Path, str]:
    """Return the folder that a checkpoint's results belong into, and what their names begin with.

    They belong into the run's folder. Beside a checkpoint of no run they carry its name. Where its
    folder cannot be written to, or comes with the package, they go to ``default`` under the names
    of both.

    Args:
        checkpoint: The file; None where the model came from none.
        default: A folder for results that have no run, or none that can be written to.

    Raises:
        LesionsegError: If ``default`` is needed and cannot be written to either.
    """
    prefix = ""
    if checkpoint is not None:
        folder = checkpoint.parent if checkpoint.parent.name else checkpoint.absolute().parent
        in_run = folder.name == CHECKPOINTS
        home = folder.parent if in_run else folder
        prefix = "" if in_run else f"{checkpoint.stem}-"
        if not is_packaged(checkpoint) and _can_write(home):
            return home, prefix
        prefix = f"{home.absolute().name}-{'' if checkpoint.name == WEIGHTS else prefix}"
    default.mkdir(parents=True, exist_ok=True)
    if not _can_write(default):
        raise LesionsegError(
            f"the results can be written neither beside {checkpoint} nor to {default}; give a "
            "folder with --report.directory."
        )
    return default, prefix


def name_of(test: Mapping[str, Any]) -> str:
    """Return the name of a test's folder, such as ``test-isic2018-val-flips``.

    Args:
        test: What :func:`lesionseg.callbacks.provenance.describe_test` returns.
    """
    parts = ["test", test["data"]["name"], test["split"]]
    checkpoint = test["checkpoint"] and Path(test["checkpoint"])
    if checkpoint and checkpoint.absolute().parent.name == CHECKPOINTS:
        parts += [] if checkpoint.stem == "best" else [checkpoint.stem]
    if test["test_time_augmentation"] != "none":
        parts.append(test["test_time_augmentation"])
    if test["trained_size"] not in (None, test["size"]):
        parts.append("x".join(map(str, test["size"])))
    return re.sub(r"[^\w.=-]+", "-", "-".join(map(str, parts)).replace("_", "-")).strip("-")


def own_folder(home: Path, name: str, test: Mapping[str, Any]) -> Path:
    """Make the folder of a test, or find that of the very same test.

    Where another test has the name, ``-2`` and so on is appended. No two processes that run
    different tests get the same folder.

    Args:
        home: The folder that it lies in.
        name: Of the folder.
        test: What :func:`lesionseg.callbacks.provenance.describe_test` returns.
    """
    for number in count(1):
        folder = home / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            there = read_record(folder)
            if there is not None and same_test(there, test):
                return folder
            continue
        return folder
    raise AssertionError


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return what the test of a folder tested, None where the folder does not tell."""
    try:
        test = json.loads((folder / RECORD).read_text(encoding="utf-8"))["test"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return test if isinstance(test, dict) else None


def loggers_beside(checkpoint: Path, loggers: Sequence[Logger]) -> list[Logger]:
    """Return the loggers that a command other than ``fit`` uses.

    Those that write a table of numbers (``RunLogger``, ``CSVLogger``) are left out: they would
    make a folder of a new run, or replace the table of the fit. TensorBoard shows the scores in
    the run that the checkpoint is of.

    Args:
        checkpoint: What is tested.
        loggers: The Trainer's.
    """
    kept: list[Logger] = []
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            home, _ = home_of(checkpoint, Path(logger.save_dir))
            kept.append(TensorBoardLogger(home.parent, name=home.name, version=""))
        elif not isinstance(logger, CSVLogger):
            kept.append(logger)
    return kept


def _can_write(folder: Path) -> bool:
    """Whether files can be made in a folder; permissions alone do not tell."""
    try:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".unfinished-")
    except OSError:
        return False
    os.close(descriptor)
    Path(name).unlink()
    return True
