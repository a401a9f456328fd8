"""Going on with the last fit: in which folder, and only where that is a fit of the same things."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info

from lesionseg.errors import LesionsegError

CONFIG = "config.yaml"
"""What a fit was asked for; a fit saves it in its folder, a test does not."""

_SECTIONS = ("seed_everything", "model", "data")  # the Trainer's may change, such as max_epochs
#: Arguments of models and DataModules that change neither images nor network.
_FREE = {"num_workers", "cache", "download", "allow_trained_images", "compile", "channels_last"}


def reopen(logger: Logger, config: Mapping[str, Any]) -> None:
    """Make a logger choose the folder of the last fit of the same things instead of a new one.

    A version that was given stays. Nothing is written.

    Args:
        logger: Of another kind than CSV and TensorBoard it is left alone.
        config: Of the fit that is to resume, as it is saved.

    Raises:
        LesionsegError: If there is no checkpoint to resume from, or only those of fits of another
            model, of other data or of another seed.
    """
    if not isinstance(logger, CSVLogger | TensorBoardLogger):
        return
    if logger._version is None:
        root = Path(logger.root_dir)
        names = [path.name.removeprefix("version_") for path in root.glob("version_*")]
        versions: list[int | str] = [*sorted((int(n) for n in names if n.isdigit()), reverse=True)]
    else:
        root, versions = Path(logger.log_dir), [logger._version]
    refusal = ""
    for version in versions:
        logger._version = version
        folder = Path(logger.log_dir)
        if not (folder / "checkpoints" / "last.ckpt").is_file():
            continue
        differing = _differing(folder, config)
        if not differing:
            rank_zero_info(f"The fit in {folder} is resumed.")
            return
        # the newest one is what the user most likely means
        refusal = refusal or (
            f"{folder} is another fit: {'; '.join(differing[:3])}. Repeat its command to resume "
            "it; leave --ckpt_path last out to start this one, or give it a folder of its own with "
            "--trainer.logger.init_args.version NAME."
        )
    raise LesionsegError(
        refusal
        or f"there is nothing to resume in {root}: no checkpoints/last.ckpt; leave --ckpt_path "
        "last out to start a fit."
    )


def _differing(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """What a fit was asked for and this one is not; nothing where a fit saved no configuration."""
    if not (folder / CONFIG).is_file():
        return []
    before = dict(_flat(_read_config(folder / CONFIG)))
    return [
        f"{name} was {before[name]} and is {value}"
        for name, value in _flat(config)
        if name in before and not _same(before[name], value)
    ]


def refuse_replacing(folder: Path, checkpoint: str | None) -> None:
    """Refuse to fit in a folder that has checkpoints of a fit that is not resumed.

    Args:
        folder: Of the new fit.
        checkpoint: What it resumes from: ``"last"``, a file, or None.

    Raises:
        LesionsegError: If its checkpoints would replace those of an earlier fit.
    """
    checkpoints = folder / "checkpoints"
    if checkpoint == "last" or not any(checkpoints.glob("*.ckpt")):
        return
    if checkpoint is not None and Path(checkpoint).resolve().parent == checkpoints.resolve():
        return
    raise LesionsegError(
        f"{folder} has the checkpoints of an earlier fit, which this one would replace; resume "
        "that fit with --ckpt_path last, or give this one another "
        "--trainer.logger.init_args.version."
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
