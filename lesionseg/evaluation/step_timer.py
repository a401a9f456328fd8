"""How long training and test steps take."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lesionseg.files import atomic_path


class StepTimer(Callback):
    """Times the steps of a fit or a test and writes ``fit.json`` or ``test.json``.

    A step is from the end of one batch to the end of the next, so it holds the reading of images;
    the first ones are left out where there are others, because they warm up. The files hold
    ``step_seconds``, the median, and ``steps``, how many batches the whole data set has.

    Args:
        directory: Where to write.
        warm_up: How many steps are left out.
    """

    def __init__(self, directory: str, warm_up: int = 3) -> None:
        self.directory = Path(directory)
        self.warm_up = warm_up
        self.ends: list[float] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Starts afresh."""
        self.ends = []

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
        trainer.strategy.barrier()
        if trainer.strategy.root_device.type == "cuda":
            import torch

            torch.cuda.synchronize(trainer.strategy.root_device)
        self.ends.append(time.perf_counter())

    def _write(self, stage: str, loader: Any) -> None:
        steps = [after - before for before, after in zip(self.ends, self.ends[1:], strict=False)]
        steady = steps[self.warm_up :] or steps
        content = {"step_seconds": median(steady) if steady else 0.0, "steps": len(loader)}
        with atomic_path(self.directory / f"{stage}.json") as unfinished:
            unfinished.write_text(json.dumps(content), encoding="utf-8")
