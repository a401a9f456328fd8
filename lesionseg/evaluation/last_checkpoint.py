"""The checkpoint that an interrupted fit goes on from."""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_warn

from lesionseg.evaluation.run_logger import RunLogger
from lesionseg.files import remove_unfinished


class LastCheckpoint(ModelCheckpoint):
    """Writes ``checkpoints/last.ckpt`` after every epoch, and makes going on from it seamless.

    Lightning's ``save_last`` writes only where the monitored score has improved as well, and, with
    ``val_check_interval``, in the middle of an epoch, whose first images would then be trained on
    twice. At the start of a fit it clears away what a killed one left unfinished in the run's
    folder. A resumed fit goes on in the ``metrics.csv`` of a :class:`RunLogger`, and ends at once
    where early stopping had ended it.

    It belongs behind other checkpoint callbacks, so that their state in it is that of its epoch.
    """

    def __init__(self) -> None:
        super().__init__(
            filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        )

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the folder and tidies it."""
        super().setup(trainer, pl_module, stage)
        log_dir = trainer.log_dir  # asks all processes
        if stage == "fit" and trainer.is_global_zero:
            # without a logger that is the current folder, which may be large
            folder = log_dir if trainer.loggers else self.dirpath
            if folder is not None:
                remove_unfinished(folder, deep=True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes up a resumed fit's log; see there for early stopping."""
        super().on_train_start(trainer, pl_module)
        if trainer.ckpt_path is None:
            return
        if trainer.max_steps != -1:
            rank_zero_warn(
                "Lightning counts an epoch too many where a fit with max_steps goes on; give "
                "max_epochs instead."
            )
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.resume(trainer.current_epoch)
        if any(one.wait_count >= one.patience for one in trainer.early_stopping_callbacks):
            trainer.should_stop = True
