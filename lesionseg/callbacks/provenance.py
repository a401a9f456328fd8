"""A record of what a test has scored and how, which distinguishes it from all other tests."""

from __future__ import annotations

import hashlib
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from lesionseg._version import __version__
from lesionseg.checkpoints import read_checkpoint
from lesionseg.models.base import SegmentationModule

PACKAGE_FOLDER = Path(__file__).resolve().parent.parent
"""The folder of the whole package, whose commit a test records."""

#: Arguments of a DataModule that do not change the scores of a test.
_IRRELEVANT = {
    *("num_workers", "cache", "download", "batch_size", "allow_trained_images"),
    *("augmentation", "train_length", "val_length", "limit"),
}
#: Entries that are equal in two runs of the same test.
_IDENTITY = (
    *("checkpoint_sha256", "model", "data", "split", "images_sha256"),
    *("size", "threshold", "test_time_augmentation", "postprocess", "precision"),
)


def describe_test(
    trainer: Trainer,
    model: SegmentationModule,
    ids: Sequence[str],
    data: Mapping[str, Any] | None = None,
    command: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return a record of a test in plain values.

    Args:
        trainer: Trainer after its test.
        model: Tested model.
        ids: Ids of the scored images.
        data: Class and arguments of the DataModule, if a configuration gives them.
        command: Command and arguments of ``lesionseg``; None outside the command line.

    Returns:
        ``checkpoint`` (its path), ``checkpoint_sha256``, ``epoch`` and ``trained_size``; ``model``
        with ``class_path`` and ``init_args``; ``data`` with ``class_path``, ``init_args`` and
        ``name``; ``split``, or the fold; ``images``, their number, and ``images_sha256``, of the
        sorted ids; ``size`` as (height, width) in pixels; ``threshold``,
        ``test_time_augmentation``, ``postprocess`` and ``precision``; ``command``, ``commit``,
        ``version``, ``torch``, ``python`` and ``date``. Unknown entries are None.
    """
    cls = type(model)
    datamodule: Any = getattr(trainer, "datamodule", None)
    name, split = datamodule.test_part() if hasattr(datamodule, "test_part") else ("data", "test")
    given = dict(data or {})
    if datamodule is not None:
        kind = type(datamodule)
        given.setdefault("class_path", f"{kind.__module__}.{kind.__qualname__}")
    arguments = dict(given.get("init_args") or {})
    path = None if trainer.ckpt_path is None else Path(trainer.ckpt_path)
    checkpoint = {} if path is None else read_checkpoint(path)
    return {
        "checkpoint": None if path is None else str(path),
        "checkpoint_sha256": None if path is None else _sha256(path),
        "epoch": checkpoint.get("epoch"),
        "trained_size": checkpoint.get("lesionseg", {}).get("size"),
        "model": {
            "class_path": f"{cls.__module__}.{cls.__qualname__}",
            "init_args": _plain({k: v for k, v in model.hparams.items() if k[0] != "_"}),
        },
        "data": {
            "class_path": given.get("class_path"),
            "init_args": _plain({k: v for k, v in arguments.items() if k not in _IRRELEVANT}),
            "name": name,
        },
        "split": split,
        "images": len(ids),
        "images_sha256": hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest(),
        "size": list(model.size),
        "threshold": model.threshold,
        "test_time_augmentation": model.test_time_augmentation,
        "postprocess": model.postprocess,
        "precision": str(trainer.precision),
        "command": None if command is None else shlex.join(["lesionseg", *command]),
        "commit": source_commit(PACKAGE_FOLDER),
        "version": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def same_test(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether two records are of the same test, perhaps run at different times.

    Args:
        a: Record of :func:`describe_test`.
        b: Another record.
    """
    earlier = {"postprocess": "none"}  # records of version 0.1 have no such entry
    return all((earlier | dict(a)).get(key) == (earlier | dict(b)).get(key) for key in _IDENTITY)


def source_commit(folder: Path) -> str | None:
    """Return the Git commit of a folder, with ``+changes`` if files differ from it.

    Args:
        folder: Folder of source files.

    Returns:
        None if Git does not track the folder, as of an installed package.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if not git("ls-files", "."):
            return None
        changed = git("status", "--porcelain", "--untracked-files=no", ".")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return a value as JSON represents it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
