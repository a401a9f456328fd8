"""How far a training in another process is."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lesionseg.files import atomic_path


class ProgressFile(Callback):
    """Writes the share of a fit that is done, a number from 0 to 1, to a text file.

    Args:
        path: The file.
        seconds: Time between two of its states, at least.
    """

    def __init__(self, path: str, seconds: float = 1.0) -> None:
        self.path = path
        self.seconds = seconds
        self._written = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the file, if it is time."""
        now = time.monotonic()
        if not trainer.is_global_zero or now - self._written < self.seconds:
            return
        self._written = now
        epochs = trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches
        shares = [epochs / limit for limit in [trainer.max_epochs or -1] if limit > 0]
        shares += [trainer.global_step / limit for limit in [trainer.max_steps] if limit > 0]
        with atomic_path(self.path) as unfinished:
            unfinished.write_text(f"{min(1.0, max(shares, default=0.0)):.4f}\n")
