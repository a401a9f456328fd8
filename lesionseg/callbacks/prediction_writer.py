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
from lesionseg.inference.saving import ResultWriter, parse_formats, review_lines
from lesionseg.inference.segmentation import Segmentation, with_photograph
from lesionseg.models.base import Prediction
from lesionseg.visualization import to_picture


class MaskWriter(BasePredictionWriter):
    """Write each prediction at the original size of its image, named as the challenge requires.

    Writes ``masks/<id>_segmentation.png`` in {0, 255}, and optionally
    ``probabilities/<id>_probability.png`` and ``uncertainty/<id>_uncertainty.png`` (16 bit, 65535
    is 1), ``overlays/<id>_overlay.png`` and ``submission.zip`` with the masks.

    ``formats`` adds or replaces: with ``json``, ``json/<id>_segmentation.json``; with ``csv``,
    ``measures.csv``; with ``coco``, ``coco.json``; with ``dicom-seg``,
    ``dicom-seg/<id>_segmentation.dcm`` of DICOM images (see
    :meth:`lesionseg.inference.Segmentation.save`).

    Each file is written whole or not at all. A second run replaces the files and removes unfinished
    files of a killed run. Files of these names that this package did not write, such as the true
    masks, end the run before anything is written.

    Args:
        directory: Folder of the results; created if absent.
        probabilities: Write the probability maps, and the uncertainty if the model gives it.
        overlays: Write each image with the predicted border in red.
        zip: Write the zip for submission.
        overwrite: Also replace files that this package did not write.
        formats: What to write, separated by commas: mask, overlay, probability, json, csv, coco,
            dicom-seg; null takes mask, and overlay and probability as the options above say.

    Raises:
        LesionsegError: If a format is unknown.

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
        formats: str | None = None,
    ) -> None:
        super().__init__(write_interval="batch")
        self.directory = Path(directory)
        self.probabilities = probabilities
        self.overlays = overlays
        chosen = None if formats is None else parse_formats(formats)
        if chosen is not None:
            self.overlays, self.probabilities = "overlay" in chosen, "probability" in chosen
        self.masks = chosen is None or "mask" in chosen
        self.zip = zip and self.masks
        self.overwrite = overwrite
        others = [kind for kind in chosen or () if kind not in ("mask", "overlay", "probability")]
        self._others = ResultWriter(
            self.directory, others, {"json": "json", "dicom-seg": "dicom-seg"}
        )
        self._reviews: dict[str, tuple[str, ...]] = {}
        self._found_lesion = False

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check existing files, and remove unfinished files of a killed run.

        Raises:
            LesionsegError: If a result would overwrite an image, or a file not of this package.
        """
        self._found_lesion = False
        self._reviews.clear()
        self._others.clear()
        dataset: Any = getattr(trainer.predict_dataloaders, "dataset", None)
        check_outputs(
            self._results(getattr(dataset, "ids", [])),
            getattr(dataset, "files", []),
            self.overwrite,
            "give another --output.directory, or --output.overwrite true",
        )
        if trainer.is_global_zero:
            for folder in (".", "dicom-seg", "masks", "probabilities", "uncertainty", "overlays"):
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
            if self.masks:
                save_mask(mask, self._path("masks", result.id, "segmentation"))
            if self.probabilities:
                save_map(
                    result.probability.cpu().numpy(),
                    self._path("probabilities", result.id, "probability"),
                )
                if result.uncertainty is not None:
                    uncertainty = result.uncertainty.cpu().numpy()
                    save_map(uncertainty, self._path("uncertainty", result.id, "uncertainty"))
            if not self.overlays and not self._others.formats:
                continue
            if result.id in paths:
                image = read_image(paths[result.id])
            else:  # synthetic: the batch holds the only copy
                height, width = mask.shape
                image = to_picture(batch["image"][index]).resize((width, height))
            if self.overlays:
                save_overlay(image, mask, self._path("overlays", result.id, "overlay"))
            if self._others.formats:
                source = paths.get(result.id, Path(result.id))
                segmentation = Segmentation(mask, result.probability.cpu().numpy())
                segmentation = with_photograph(segmentation, image, source)
                self._others.add(segmentation, result.id)
                self._reviews[result.id] = segmentation.review

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the zip of the masks and print the folders."""
        trainer.strategy.barrier("predictions are written")
        if not trainer.strategy.reduce_boolean_decision(self._found_lesion, all=False):
            rank_zero_warn(
                "no lesion was found in any image, all masks are empty; check that the model is "
                "trained for such images."
            )
        self._gather(trainer)
        if not trainer.is_global_zero:
            return
        dataset: Any = getattr(trainer.predict_dataloaders, "dataset", None)
        ids = list(getattr(dataset, "ids", []))
        self._others.write_tables()
        if self.masks:
            print(f"Masks:    {self.directory / 'masks'}")
        if self.overlays:
            print(f"Overlays: {self.directory / 'overlays'}")
        if self.zip and ids:
            masks = [self._path("masks", name, "segmentation") for name in ids]
            save_zip([mask for mask in masks if mask.exists()], self.directory / "submission.zip")
            print(f"Zip:      {self.directory / 'submission.zip'}")
        if self._others.formats:
            print(f"Others:   {self.directory} ({', '.join(self._others.formats)})")
        for line in review_lines(dict(sorted(self._reviews.items()))):
            print(line)

    def _gather(self, trainer: Trainer) -> None:
        """Collect the rows of the tables from all processes."""
        if trainer.world_size > 1 and self._others.formats:
            import torch.distributed

            mine = (self._others.rows, self._others.coco, self._reviews)
            parts: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, mine)
            self._others.clear()
            for rows, coco, reviews in parts:
                self._others.extend(rows, coco)
                self._reviews.update(reviews)
        self._others.sort()

    def _results(self, ids: Sequence[str]) -> Iterator[Path]:
        """Yield all files that may be written for images."""
        kinds = [("masks", "segmentation")] if self.masks else []
        if self.probabilities:
            kinds += [("probabilities", "probability"), ("uncertainty", "uncertainty")]
        if self.overlays:
            kinds += [("overlays", "overlay")]
        for folder, suffix in kinds:
            yield from (self._path(folder, name, suffix) for name in ids)
        for name in ids:
            yield from self._others.files(name)
        yield from self._others.tables()
        if self.zip:
            yield self.directory / "submission.zip"

    def _path(self, folder: str, name: str, suffix: str) -> Path:
        return self.directory / folder / f"{name}_{suffix}.png"
