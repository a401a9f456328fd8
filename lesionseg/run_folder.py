"""Folder of a run, which holds everything that a fit writes, whatever the logger."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

CHECKPOINTS = "checkpoints"
"""Name of the folder of checkpoints in that of a run."""

_CHOSEN: WeakKeyDictionary[Trainer, Path] = WeakKeyDictionary()


def run_folder(trainer: Trainer) -> Path | None:
    """Return the folder of a Trainer's run, which holds the folder ``checkpoints``.

    ``Trainer.log_dir`` is another folder with loggers that have none for each run (Weights &
    Biases, MLflow): that of all runs.

    Args:
        trainer: Trainer that is fitting. All of its processes must call this; rank 0 decides.

    Returns:
        Folder; None in a fast development run, and without a logger as long as no checkpoint
        callback has a folder.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> from lesionseg.run_folder import run_folder
        >>> logger = CSVLogger("runs", name="asnet", version="first")
        >>> trainer = Trainer(accelerator="cpu", logger=logger, enable_model_summary=False)
        >>> run_folder(trainer).as_posix()
        'runs/asnet/first'
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    if trainer in _CHOSEN:
        return _CHOSEN[trainer]
    found = _of_checkpoints(trainer) or _of_logger(trainer)
    name = trainer.strategy.broadcast(None if found is None else str(found))
    return None if name is None else Path(name)


def choose_run_folder(trainer: Trainer) -> Path | None:
    """Choose the folder of a run, and have all checkpoint callbacks without a folder use it.

    It is the parent of the ``dirpath`` of the first checkpoint callback that has one, else the
    folder of the first logger with a folder for each run (CSV, TensorBoard), else that of the first
    logger, else, without a logger, a new ``version_N`` in the Trainer's ``default_root_dir``.

    Args:
        trainer: Trainer that is about to fit, with initialized loggers. All of its processes must
            call this; rank 0 decides.

    Returns:
        Folder; None in a fast development run.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    if trainer not in _CHOSEN:
        name = None
        if trainer.is_global_zero:
            found = _of_checkpoints(trainer) or _of_logger(trainer)
            name = str(found or _new_version(Path(trainer.default_root_dir)))
        _CHOSEN[trainer] = Path(str(trainer.strategy.broadcast(name)))
    place_checkpoints(trainer, _CHOSEN[trainer])
    return _CHOSEN[trainer]


def chosen_run_folder(trainer: Trainer) -> Path | None:
    """Return the folder of :func:`choose_run_folder`, None before; needs no other process."""
    return _CHOSEN.get(trainer)


def place_checkpoints(trainer: Trainer, folder: Path) -> None:
    """Have all checkpoint callbacks without a folder write to ``checkpoints`` in a folder."""
    for callback in trainer.checkpoint_callbacks:
        if getattr(callback, "dirpath", "") is None:
            callback.dirpath = str(folder / CHECKPOINTS)  # type: ignore[attr-defined]


def share_folder(trainer: Trainer) -> None:
    """Set the folder of a run in checkpoint callbacks and loggers before a fit starts.

    Lightning looks for the last checkpoint there before the fit starts. Of several loggers with a
    folder for each run, those without a version get that of the first, so that all write to the
    same folder. Without such a logger nothing is done.
    """
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    first = folder_logger(trainer.loggers)
    if first is None:
        return
    for logger in trainer.loggers:
        if not isinstance(logger, CSVLogger | TensorBoardLogger) or logger._version is not None:
            continue
        if logger.root_dir == first.root_dir:
            logger._version = first.version
    place_checkpoints(trainer, _of_checkpoints(trainer) or _folder_of(first, trainer))


def folder_logger(loggers: Sequence[Logger]) -> CSVLogger | TensorBoardLogger | None:
    """Return the first logger that has a folder for each run."""
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    return next((log for log in loggers if isinstance(log, CSVLogger | TensorBoardLogger)), None)


def _of_checkpoints(trainer: Trainer) -> Path | None:
    given = (getattr(callback, "dirpath", None) for callback in trainer.checkpoint_callbacks)
    for folder in given:
        if folder is None or "://" in str(folder):
            continue
        path = Path(folder)
        if not trainer.loggers and path == Path(trainer.default_root_dir, CHECKPOINTS):
            continue  # Lightning's default without a logger, the same for every run
        return path.parent if path.name == CHECKPOINTS else path
    return None


def _of_logger(trainer: Trainer) -> Path | None:
    """Return the local folder that Lightning's checkpoint callback takes from a logger."""
    if not trainer.loggers:
        return None
    return _folder_of(folder_logger(trainer.loggers) or trainer.loggers[0], trainer)


def _folder_of(logger: Logger, trainer: Trainer) -> Path:
    save_dir = logger.save_dir
    if save_dir is None or "://" in str(save_dir):
        save_dir = trainer.default_root_dir
    version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
    return Path(os.path.expandvars(save_dir), str(logger.name), version).expanduser()


def _new_version(root: Path) -> Path:
    """Create the next ``version_N``; no two processes get the same folder."""
    root.mkdir(parents=True, exist_ok=True)
    names = (path.name.removeprefix("version_") for path in root.glob("version_*"))
    first = max((int(name) + 1 for name in names if name.isdigit()), default=0)
    for number in count(first):
        folder = root / f"version_{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError
