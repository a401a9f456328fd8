"""Overlays of truth and prediction on validation images during training."""

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
    """Draw a contact sheet after each validation.

    It has the truth in green and the prediction in red. It is written to
    ``overlays/epoch-000.png`` in the run's folder (:func:`lesionseg.run_folder.run_folder`; without
    any, in the Trainer's ``default_root_dir``) and logged as ``val/overlays`` to TensorBoard and
    Weights & Biases.

    Args:
        images: Number of validation images to show, the first of them; 0 for no sheet.
        every_n_epochs: Epochs between two sheets.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from lightning.pytorch import Trainer
        >>> from lesionseg import Segmenter, SyntheticDataModule
        >>> from lesionseg.callbacks.overlay_logger import OverlayLogger
        >>> model = Segmenter("segan", network_arguments={"width": 2}, size=(32, 32))
        >>> data = SyntheticDataModule(size=(32, 32), val_length=2, batch_size=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer = Trainer(
        ...         accelerator="cpu", logger=False, default_root_dir=folder,
        ...         callbacks=[OverlayLogger(images=2)], enable_progress_bar=False,
        ...     )
        ...     _ = trainer.validate(model, data, verbose=False)
        ...     [path.name for path in Path(folder, "overlays").iterdir()]
        ['epoch-000.png']
    """

    def __init__(self, images: int = 8, every_n_epochs: int = 1) -> None:
        if images < 0:
            raise ValueError(f"expected images to be at least 0, got {images}")
        if every_n_epochs < 1:
            raise ValueError(f"expected every_n_epochs to be at least 1, got {every_n_epochs}")
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
        """Draw the first images."""
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
        """Write the sheet."""
        folder = run_folder(trainer)  # a collective call
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
