"""The folder of a test's results: in that of the run, and different for each test.

Lightning's loggers would start a new run for a test, or replace the table of the fit.
"""

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
from lesionseg.hub import hub_id_of
from lesionseg.pretrained import WEIGHTS, is_packaged
from lesionseg.run_folder import CHECKPOINTS

RECORD = "scores.json"
"""The file in a test's folder with the record of the test."""


def home_of(checkpoint: Path | None, default: Path) -> tuple[Path, str]:
    """Return the folder for a checkpoint's results, and the prefix of their names.

    It is the run's folder. Beside a checkpoint without a run the prefix is the checkpoint's name.
    If the folder cannot be written to, or is part of the package or of the cache of the Hugging
    Face Hub's client, it is ``default``, with the names of model and checkpoint as prefix.

    Args:
        checkpoint: Path of the checkpoint; None if the model is of no checkpoint.
        default: Folder for results without a run, or whose run cannot be written to.

    Raises:
        LesionsegError: If ``default`` is needed and cannot be written to either.
    """
    prefix = ""
    if checkpoint is not None:
        folder = checkpoint.parent if checkpoint.parent.name else checkpoint.absolute().parent
        in_run = folder.name == CHECKPOINTS
        home = folder.parent if in_run else folder
        prefix = "" if in_run else f"{checkpoint.stem}-"
        hub_id = hub_id_of(checkpoint)
        if not is_packaged(checkpoint) and hub_id is None and _can_write(home):
            return home, prefix
        model = hub_id.partition("/")[2] if hub_id else home.absolute().name
        prefix = f"{model}-{'' if checkpoint.name == WEIGHTS else prefix}"
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
        test: Record of :func:`lesionseg.callbacks.provenance.describe_test`.
    """
    parts = ["test", test["data"]["name"], test["split"]]
    checkpoint = test["checkpoint"] and Path(test["checkpoint"])
    if checkpoint and checkpoint.absolute().parent.name == CHECKPOINTS:
        parts += [] if checkpoint.stem == "best" else [checkpoint.stem]
    if test["test_time_augmentation"] != "none":
        parts.append(test["test_time_augmentation"])
    if test.get("postprocess", "none") != "none":
        parts.append(test["postprocess"])
    if test["trained_size"] not in (None, test["size"]):
        parts.append("x".join(map(str, test["size"])))
    return re.sub(r"[^\w.=-]+", "-", "-".join(map(str, parts)).replace("_", "-")).strip("-")


def folder_of_test(home: Path, name: str, test: Mapping[str, Any]) -> Path:
    """Create the folder of a test, or return that of an earlier run of the same test.

    If another test has the name, ``-2`` and so on is appended. Processes that run different tests
    never get the same folder.

    Args:
        home: Parent of the folder.
        name: Name of the folder.
        test: Record of :func:`lesionseg.callbacks.provenance.describe_test`.
    """
    for number in count(1):
        folder = home / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            record = read_record(folder)
            if record is not None and same_test(record, test):
                return folder
            continue
        return folder
    raise AssertionError


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of the test in a folder; None if there is none.

    Args:
        folder: Folder of a test.
    """
    try:
        test = json.loads((folder / RECORD).read_text(encoding="utf-8"))["test"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return test if isinstance(test, dict) else None


def loggers_beside(checkpoint: Path, loggers: Sequence[Logger]) -> list[Logger]:
    """Return the loggers for a command other than ``fit``.

    CSV loggers (``RunLogger``, ``CSVLogger``) are left out: they would create the folder of a new
    run, or replace the table of the fit. TensorBoard logs to the run of the checkpoint.

    Args:
        checkpoint: Path of the checkpoint.
        loggers: Loggers of the Trainer.
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
    """Return whether files can be created in a folder, which permissions do not determine."""
    try:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".unfinished-")
    except OSError:
        return False
    os.close(descriptor)
    Path(name).unlink()
    return True
