"""Resume the last fit in its folder, if it is a fit of the same model, data and seed.

Lightning chooses a new version folder for every fit, and resumes a checkpoint of any other fit.
"""

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
"""The file in a fit's folder with its configuration."""

_SECTIONS = ("seed_everything", "model", "data")  # the trainer section may change
#: Arguments of models and DataModules that change neither images nor network.
_IRRELEVANT = {
    *("num_workers", "cache", "download", "allow_trained_images", "compile", "channels_last"),
}


def reopen(logger: Logger, config: Mapping[str, Any]) -> None:
    """Set a logger's version to that of the last fit with the same model, data and seed.

    A version that was given is kept. Nothing is written.

    Args:
        logger: Logger of CSV or TensorBoard; others are not changed.
        config: Configuration of the fit that resumes, as it is saved.

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
        # the newest is most likely meant
        refusal = refusal or (
            f"{folder} is another fit: {'; '.join(differing[:3])}. Repeat its command to resume "
            "it; leave --ckpt_path last out to start this one, or give it another folder with "
            "--trainer.logger.init_args.version NAME."
        )
    raise LesionsegError(
        refusal
        or f"there is nothing to resume in {root}: no checkpoints/last.ckpt; leave --ckpt_path "
        "last out to start a fit."
    )


def _differing(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Return the settings in which a saved fit differs; none if it saved no configuration."""
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
        folder: Folder of the new fit.
        checkpoint: Checkpoint that it resumes: ``"last"``, a path, or None.

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
    """Read a saved configuration.

    Raises:
        LesionsegError: If it is empty or damaged, as a full disk may leave it.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError):
        config = None
    if not isinstance(config, Mapping):
        raise LesionsegError(
            f"{path} is empty or damaged, so that the fits cannot be compared; delete it "
            "to resume the fit that last.ckpt belongs to."
        )
    return config


def _flat(config: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings that define a fit, by dotted names."""
    for key, value in config.items():
        full = f"{name}.{key}" if name else key
        if full.split(".")[0] not in _SECTIONS or key in _IRRELEVANT:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        elif key == "class_path":
            yield full, value.rpartition(".")[2]  # a class has several paths
        else:
            yield full, value


def _same(a: Any, b: Any) -> bool:
    """Return whether two values are equal, or spellings of the same path."""
    if isinstance(a, str) and isinstance(b, str):
        return os.path.abspath(a) == os.path.abspath(b)  # noqa: PTH100, also for other text
    return bool(a == b)
