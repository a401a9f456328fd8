"""Pictures of the validation images while a model trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from lesionseg.inference.postprocess import binarize, probabilities
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.run_folder import run_folder
from lesionseg.visualization import (
    TRUTH_COLOR,
    contact_sheet,
    draw_outline,
    save_picture,
    to_picture,
)


class OverlayLogger(Callback):
    """After each validation, a contact sheet with the truth in green and the prediction in red.

    It is written to ``overlays/epoch-000.png`` in the run's folder
    (:func:`lesionseg.run_folder.run_folder`; without any, in the Trainer's ``default_root_dir``)
    and shown under ``val/overlays`` in TensorBoard and Weights & Biases where they log.

    Args:
        images: How many of the first validation images are shown; 0 turns it off.
        every_n_epochs: Epochs from one sheet to the next.
    """

    def __init__(self, images: int = 8, every_n_epochs: int = 1) -> None:
        if images < 0 or every_n_epochs < 1:
            raise ValueError("images must not be negative and every_n_epochs at least 1")
        self.images = images
        self.every_n_epochs = every_n_epochs
        self._tiles: list[tuple[Image.Image, str]] = []

    @rank_zero_only
    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draws the first images."""
        wanted = self.images - len(self._tiles)
        if wanted <= 0 or trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        with torch.no_grad():
            maps = probabilities(pl_module(batch["image"][:wanted]))
        predicted = binarize(maps, getattr(pl_module, "threshold", PROBABILITY_THRESHOLD))
        for index in range(len(predicted)):
            picture = to_picture(batch["image"][index])
            truth = batch["mask"][index, 0].bool().cpu().numpy()
            picture = draw_outline(picture, truth, TRUTH_COLOR)
            picture = draw_outline(picture, predicted[index, 0].cpu().numpy())
            self._tiles.append((picture, batch["id"][index]))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the sheet."""
        folder = run_folder(trainer)  # asks all processes
        if not self._tiles or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        sheet = contact_sheet(self._tiles)
        self._tiles = []
        name = f"epoch-{trainer.current_epoch:03d}.png"
        save_picture(sheet, (folder or Path(trainer.default_root_dir)) / "overlays" / name)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    "val/overlays", np.asarray(sheet), trainer.current_epoch, dataformats="HWC"
                )
            elif isinstance(logger, WandbLogger):
                logger.log_image("val/overlays", [sheet])
