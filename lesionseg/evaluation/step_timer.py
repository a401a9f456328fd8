"""How long training and test steps take."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lesionseg.files import atomic_path


class StepTimer(Callback):
    """Times the steps of a fit or a test and writes ``fit.json`` or ``test.json``.

    A step is from the end of one batch to the end of the next, so it holds the reading of images;
    the first ones of all are left out where there are others, because they warm up. The files hold
    ``step_seconds``, the median, and ``steps``, how many batches the whole data set has.

    Args:
        directory: Where to write.
        warm_up: How many steps are left out.
    """

    def __init__(self, directory: str, warm_up: int = 3) -> None:
        self.directory = Path(directory)
        self.warm_up = warm_up
        self.seconds: list[float] = []
        self._before = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Starts afresh."""
        self.seconds = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of the first step."""
        self._before = _now(trainer)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of the first step."""
        self._before = _now(trainer)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Takes the time of a training step."""
        self._tick(trainer)

    def on_test_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Takes the time of a test step."""
        self._tick(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes ``fit.json``."""
        self._write("fit", trainer.train_dataloader)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes ``test.json``."""
        self._write("test", trainer.test_dataloaders)

    def _tick(self, trainer: Trainer) -> None:
        now = _now(trainer)
        self.seconds.append(now - self._before)
        self._before = now

    def _write(self, stage: str, loader: Any) -> None:
        steady = self.seconds[self.warm_up :] or self.seconds
        content = {"step_seconds": median(steady), "steps": len(loader)}
        with atomic_path(self.directory / f"{stage}.json") as unfinished:
            unfinished.write_text(json.dumps(content), encoding="utf-8")


def _now(trainer: Trainer) -> float:
    """The time when the device has done all that was asked of it."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
