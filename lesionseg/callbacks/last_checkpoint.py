"""The checkpoint from which an interrupted fit is resumed.

Lightning's ``save_last`` writes only where the monitored score has improved as well, and, with
``val_check_interval``, in the middle of an epoch, whose first images would be trained on twice.
Lightning also resumes a fit that has nothing left to train, and ends it at once.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from lesionseg.callbacks.csv_logger import RunLogger
from lesionseg.errors import LesionsegError, NothingToTrainError
from lesionseg.files import file_lock, remove_unfinished
from lesionseg.run_folder import run_folder


class LastCheckpoint(ModelCheckpoint):
    """Write ``checkpoints/last.ckpt`` after every epoch, from which a fit can be resumed.

    A fit locks its folder, and removes unfinished files of a killed fit at its start. A resumed fit
    continues the ``metrics.csv`` of a :class:`RunLogger`, and is refused if nothing is left to
    train.

    It must come after other checkpoint callbacks, so that it saves their state of the same epoch.

    Example:
        >>> from lesionseg.callbacks.last_checkpoint import LastCheckpoint
        >>> LastCheckpoint().filename
        'last'
    """

    def __init__(self) -> None:
        super().__init__(
            filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        )
        self._lock = ExitStack()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the folder, lock it and remove unfinished files.

        Raises:
            LesionsegError: If another process trains there.
        """
        super().setup(trainer, pl_module, stage)
        folder = run_folder(trainer)  # a collective call
        if stage == "fit" and trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            # without a run folder Lightning writes to the current folder
            self._lock_folder(folder or Path(str(self.dirpath)))
            remove_unfinished(folder or Path(str(self.dirpath)), deep=True)

    def _lock_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / ".lock"
        try:
            self._lock.enter_context(file_lock(path))
        except TimeoutError as error:
            raise LesionsegError(
                f"another process trains in {folder}; wait for it, or give this fit a folder of "
                "its own with --trainer.logger.init_args.version NAME (without a logger "
                f"--checkpoint.dirpath {folder.parent}/NAME/checkpoints)."
            ) from error
        except OSError:  # the file system has no locks
            return
        self._lock.callback(_remove, path)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Unlock the folder."""
        super().teardown(trainer, pl_module, stage)
        self._lock.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Unlock the folder."""
        super().on_exception(trainer, pl_module, exception)
        self._lock.close()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to resume where nothing is left to train.

        Raises:
            NothingToTrainError: If the checkpoint was trained for all epochs or steps.
        """
        if trainer.state.fn != TrainerFn.FITTING:
            return
        progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        epochs, steps = progress["processed"], checkpoint["global_step"]
        if trainer.max_epochs not in (None, -1) and epochs >= trainer.max_epochs:
            done = f"{epochs} epochs, and max_epochs is {trainer.max_epochs}"
        elif trainer.max_steps != -1 and steps >= trainer.max_steps:
            done = f"{steps} steps, and max_steps is {trainer.max_steps}"
        else:
            return
        raise NothingToTrainError(
            f"there is nothing left to train: {trainer.ckpt_path} was trained for {done}. Ask for "
            "more to resume it, or start a new fit from its weights with --model.init_from."
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Continue the log of a resumed fit.

        Raises:
            NothingToTrainError: If early stopping had ended the fit.
        """
        super().on_train_start(trainer, pl_module)
        if trainer.ckpt_path is None:
            return
        if trainer.max_steps != -1:
            rank_zero_warn(
                "Lightning counts an epoch too many when a fit with max_steps is resumed; use "
                "max_epochs instead."
            )
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.resume(trainer.current_epoch)
        if any(map(_had_stopped, trainer.early_stopping_callbacks)):
            raise NothingToTrainError(
                f"there is nothing left to train: early stopping had ended the fit of "
                f"{trainer.ckpt_path}. Give it more patience to resume it, or start a new fit from "
                "its weights with --model.init_from."
            )


def _remove(path: Path) -> None:
    with suppress(OSError):  # Windows keeps open files
        path.unlink()


def _had_stopped(stopping: EarlyStopping) -> bool:
    """Return whether the resumed fit had been stopped; it continues with more patience."""
    limits = (stopping.stopping_threshold, stopping.divergence_threshold)
    at_limit = stopping.stopped_epoch > 0 and limits != (None, None)
    return at_limit or stopping.wait_count >= stopping.patience
