"""What ``predict`` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lesionseg.data.io.reading import read_image
from lesionseg.files import check_outputs, remove_unfinished
from lesionseg.inference.outputs import save_map, save_mask, save_overlay, save_zip
from lesionseg.models.base import Prediction
from lesionseg.visualization import to_picture


class MaskWriter(BasePredictionWriter):
    """Writes each prediction at its image's original size, named as the challenge wants.

    ``masks/<id>_segmentation.png`` in {0, 255}; on demand ``probabilities/<id>_probability.png``
    and ``uncertainty/<id>_uncertainty.png`` (16 bit, 65535 is 1), ``overlays/<id>_overlay.png``
    and ``submission.zip`` with the masks.

    Each file is whole or not there. The same command again writes the same files again, and removes
    what a killed one left unfinished. Files of these names that this package did not write, such as
    the true masks, end the run before anything is written.

    Args:
        directory: Folder of the results; it is made.
        probabilities: Write the probability maps, and the uncertainty where the model gives one.
        overlays: Write each image with the predicted border in red.
        zip: Pack the masks for submission.
        overwrite: Also replace files that this package did not write.
    """

    def __init__(
        self,
        directory: str = "predictions",
        probabilities: bool = False,
        overlays: bool = True,
        zip: bool = True,
        overwrite: bool = False,
    ) -> None:
        super().__init__(write_interval="batch")
        self.directory = Path(directory)
        self.probabilities = probabilities
        self.overlays = overlays
        self.zip = zip
        self.overwrite = overwrite
        self._found = False  # whether any mask has a lesion

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check what is there already, and clear away what a killed run left.

        Raises:
            LesionsegError: If a result would overwrite an image, or a file of anybody else's.
        """
        self._found = False
        dataset: Any = getattr(trainer.predict_dataloaders, "dataset", None)
        check_outputs(
            self._results(getattr(dataset, "ids", [])),
            getattr(dataset, "files", []),
            self.overwrite,
            "give another --output.directory, or --output.overwrite true",
        )
        if trainer.is_global_zero:
            for folder in (".", "masks", "probabilities", "uncertainty", "overlays"):
                remove_unfinished(self.directory / folder)

    def on_predict_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Ends where SIGTERM has come; Lightning looks for it in other loops only."""
        if trainer.received_sigterm:
            raise SIGTERMException

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Sequence[Prediction],
        batch_indices: Sequence[int] | None,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Writes the files of one batch."""
        dataset: Any = getattr(trainer.predict_dataloaders, "dataset", None)
        paths = {pair.id: pair.image for pair in getattr(dataset, "pairs", [])}
        for index, one in enumerate(prediction):
            mask = one.mask.cpu().numpy()
            self._found = self._found or bool(mask.any())
            save_mask(mask, self._path("masks", one.id, "segmentation"))
            if self.probabilities:
                save_map(
                    one.probability.cpu().numpy(),
                    self._path("probabilities", one.id, "probability"),
                )
                if one.uncertainty is not None:
                    spread = one.uncertainty.cpu().numpy()
                    save_map(spread, self._path("uncertainty", one.id, "uncertainty"))
            if self.overlays:
                if one.id in paths:
                    image = read_image(paths[one.id])
                else:  # drawn, not read: the batch holds the only copy
                    height, width = mask.shape
                    image = to_picture(batch["image"][index]).resize((width, height))
                save_overlay(image, mask, self._path("overlays", one.id, "overlay"))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Packs the masks of this data set's images and says where everything is."""
        trainer.strategy.barrier("predictions are written")
        if not trainer.strategy.reduce_boolean_decision(self._found, all=False):
            rank_zero_warn(
                "no lesion was found in any image, all masks are empty; check that the model is "
                "trained for such images."
            )
        if not trainer.is_global_zero:
            return
        dataset: Any = getattr(trainer.predict_dataloaders, "dataset", None)
        ids = list(getattr(dataset, "ids", []))
        print(f"Masks:    {self.directory / 'masks'}")
        if self.overlays:
            print(f"Overlays: {self.directory / 'overlays'}")
        if self.zip and ids:
            masks = [self._path("masks", one, "segmentation") for one in ids]
            save_zip([mask for mask in masks if mask.exists()], self.directory / "submission.zip")
            print(f"Zip:      {self.directory / 'submission.zip'}")

    def _results(self, ids: Sequence[str]) -> Iterator[Path]:
        """Everything that may be written for some images."""
        kinds = [("masks", "segmentation")]
        if self.probabilities:
            kinds += [("probabilities", "probability"), ("uncertainty", "uncertainty")]
        if self.overlays:
            kinds += [("overlays", "overlay")]
        for folder, suffix in kinds:
            yield from (self._path(folder, one, suffix) for one in ids)
        if self.zip:
            yield self.directory / "submission.zip"

    def _path(self, folder: str, name: str, suffix: str) -> Path:
        return self.directory / folder / f"{name}_{suffix}.png"
