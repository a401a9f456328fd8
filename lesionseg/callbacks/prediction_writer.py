"""Write the predictions of ``predict`` to files.

Lightning checks for SIGTERM in its other loops only; the writer does so in prediction.
"""

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
    """Write each prediction at the original size of its image, named as the challenge requires.

    Writes ``masks/<id>_segmentation.png`` in {0, 255}, and optionally
    ``probabilities/<id>_probability.png`` and ``uncertainty/<id>_uncertainty.png`` (16 bit, 65535
    is 1), ``overlays/<id>_overlay.png`` and ``submission.zip`` with the masks.

    Each file is written whole or not at all. A second run replaces the files and removes unfinished
    files of a killed run. Files of these names that this package did not write, such as the true
    masks, end the run before anything is written.

    Args:
        directory: Folder of the results; created if absent.
        probabilities: Write the probability maps, and the uncertainty if the model gives it.
        overlays: Write each image with the predicted border in red.
        zip: Write the zip for submission.
        overwrite: Also replace files that this package did not write.

    Example:
        >>> import contextlib, io, tempfile
        >>> from pathlib import Path
        >>> from lightning.pytorch import Trainer
        >>> from lesionseg import Segmenter, SyntheticDataModule
        >>> from lesionseg.callbacks.prediction_writer import MaskWriter
        >>> model = Segmenter("segan", network_arguments={"width": 2}, size=(32, 32))
        >>> data = SyntheticDataModule(size=(32, 32), test_length=2, batch_size=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer = Trainer(
        ...         accelerator="cpu", logger=False, enable_progress_bar=False,
        ...         callbacks=[MaskWriter(folder)], default_root_dir=folder,
        ...     )
        ...     with contextlib.redirect_stdout(io.StringIO()):
        ...         _ = trainer.predict(model, data, return_predictions=False)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['masks', 'overlays', 'submission.zip']
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
        self._found_lesion = False

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check existing files, and remove unfinished files of a killed run.

        Raises:
            LesionsegError: If a result would overwrite an image, or a file not of this package.
        """
        self._found_lesion = False
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
        """Stop after SIGTERM."""
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
        """Write the files of a batch."""
        dataset: Any = getattr(trainer.predict_dataloaders, "dataset", None)
        paths = {pair.id: pair.image for pair in getattr(dataset, "pairs", [])}
        for index, result in enumerate(prediction):
            mask = result.mask.cpu().numpy()
            self._found_lesion = self._found_lesion or bool(mask.any())
            save_mask(mask, self._path("masks", result.id, "segmentation"))
            if self.probabilities:
                save_map(
                    result.probability.cpu().numpy(),
                    self._path("probabilities", result.id, "probability"),
                )
                if result.uncertainty is not None:
                    uncertainty = result.uncertainty.cpu().numpy()
                    save_map(uncertainty, self._path("uncertainty", result.id, "uncertainty"))
            if self.overlays:
                if result.id in paths:
                    image = read_image(paths[result.id])
                else:  # synthetic: the batch holds the only copy
                    height, width = mask.shape
                    image = to_picture(batch["image"][index]).resize((width, height))
                save_overlay(image, mask, self._path("overlays", result.id, "overlay"))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the zip of the masks and print the folders."""
        trainer.strategy.barrier("predictions are written")
        if not trainer.strategy.reduce_boolean_decision(self._found_lesion, all=False):
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
            masks = [self._path("masks", name, "segmentation") for name in ids]
            save_zip([mask for mask in masks if mask.exists()], self.directory / "submission.zip")
            print(f"Zip:      {self.directory / 'submission.zip'}")

    def _results(self, ids: Sequence[str]) -> Iterator[Path]:
        """Yield all files that may be written for images."""
        kinds = [("masks", "segmentation")]
        if self.probabilities:
            kinds += [("probabilities", "probability"), ("uncertainty", "uncertainty")]
        if self.overlays:
            kinds += [("overlays", "overlay")]
        for folder, suffix in kinds:
            yield from (self._path(folder, name, suffix) for name in ids)
        if self.zip:
            yield self.directory / "submission.zip"

    def _path(self, folder: str, name: str, suffix: str) -> Path:
        return self.directory / folder / f"{name}_{suffix}.png"
