"""Going on with the last fit: in which folder, and only where that is a fit of the same things."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from lesionseg.errors import LesionsegError

CONFIG = "config.yaml"
"""What a fit was asked for; a fit saves it in its folder, a test does not."""

_SECTIONS = ("seed_everything", "model", "data")  # the Trainer's may change, such as max_epochs
#: Arguments of models and DataModules that change neither images nor network.
_FREE = {"num_workers", "cache", "download", "allow_trained_images", "compile", "channels_last"}


def reopen(logger: Logger, config: Mapping[str, Any]) -> None:
    """Make a logger choose the folder of the last fit instead of a new one.

    A version that was given stays. Nothing is written.

    Args:
        logger: Of another kind than CSV and TensorBoard it is left alone.
        config: Of the fit that is to go on, as it is saved.

    Raises:
        LesionsegError: There is something to go on from in that folder, but it is a fit of another
            model, of other data or of another seed.
    """
    if not isinstance(logger, CSVLogger | TensorBoardLogger):
        return
    if logger._version is None:
        folders = Path(logger.root_dir).glob(f"version_*/{CONFIG}")
        names = [path.parent.name.removeprefix("version_") for path in folders]
        logger._version = max((int(name) for name in names if name.isdigit()), default=None)
    folder = Path(logger.log_dir)
    if not (folder / "checkpoints" / "last.ckpt").is_file() or not (folder / CONFIG).is_file():
        return
    before = dict(_flat(_read_config(folder / CONFIG)))
    differing = [
        f"{name} was {before[name]} and is {value}"
        for name, value in _flat(config)
        if name in before and not _same(before[name], value)
    ]
    if differing:
        raise LesionsegError(
            f"{folder} is another fit: {'; '.join(differing[:3])}. Repeat its command to go on; "
            "leave --ckpt_path last out of another fit's, or give it a folder of its own with "
            "--trainer.logger.init_args.version NAME."
        )


def _read_config(path: Path) -> Mapping[str, Any]:
    """A saved configuration.

    Raises:
        LesionsegError: If it is empty or damaged, as a full disk may leave it.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError):
        config = None
    if not isinstance(config, Mapping):
        raise LesionsegError(
            f"{path} is empty or damaged, so nobody knows whether this is the same fit; delete it "
            "to resume the fit that last.ckpt belongs to."
        )
    return config


def _flat(config: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What makes a fit, by dotted names."""
    for key, value in config.items():
        full = f"{name}.{key}" if name else key
        if full.split(".")[0] not in _SECTIONS or key in _FREE:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        elif key == "class_path":
            yield full, value.rpartition(".")[2]  # a class has several paths
        else:
            yield full, value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, or one path spelled in two ways."""
    if isinstance(one, str) and isinstance(other, str):
        return os.path.abspath(one) == os.path.abspath(other)  # noqa: PTH100, also for other text
    return bool(one == other)
