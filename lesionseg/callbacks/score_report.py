"""The report of a test: scores, per-image table, and the best, median and worst images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch.utils.data import Dataset

from lesionseg.callbacks.provenance import describe_test
from lesionseg.callbacks.result_folder import RECORD, folder_of_test, home_of, name_of
from lesionseg.data.datasets.sample import collate_samples, draw_sample
from lesionseg.files import atomic_path, check_outputs, remove_unfinished
from lesionseg.inference.outputs import save_mask
from lesionseg.inference.tta import views_of
from lesionseg.metrics import ExtendedScore
from lesionseg.metrics.table import ScoreTable
from lesionseg.models.base import SegmentationModule
from lesionseg.run_folder import run_folder
from lesionseg.visualization import contact_sheet, draw_outline, save_picture


class ScoreReport(Callback):
    """Print the six official scores of a test, and write them with an overlay sheet.

    ``scores.json``, the per-image ``scores.csv`` and ``overlays.png`` (best, median and worst
    images by Jaccard, truth in green, prediction in red) go to a folder in that of the checkpoint's
    run, such as ``test-isic2018-val`` or ``test-isic2018-val-last-flips``, different for each test.
    ``test`` in ``scores.json`` records what was tested and how
    (:func:`lesionseg.callbacks.provenance.describe_test`).

    With ``extended`` it also prints scores beyond overlap
    (:class:`lesionseg.metrics.ExtendedScore`) and writes the per-image ``extended.csv`` and the
    bins of a reliability diagram, ``reliability.csv``.

    Args:
        directory: Folder of the results; None for the folder described above.
        mask_directory: Folder for the scored masks, named as the challenge does; None for no masks.
        images: Number of images in the sheet, a third each of best, median and worst; 0 for no
            sheet.
        overwrite: Also replace files that this package did not write; otherwise they end the test
            before anything is written. Files that the test reads are never replaced.
        extended: Also print and write distances between outlines, surface Dice, boundary IoU,
            Brier score and calibration error.
        tolerance: Tolerance of the surface Dice, in pixels of the original images, or in
            millimeters if ``spacing`` is given.
        spacing: Size of a pixel of the original images in millimeters, if it is the same for all;
            None measures in pixels.

    Raises:
        ValueError: If ``images`` is negative, or ``tolerance`` or ``spacing`` is out of range.

    Example:
        >>> import contextlib, io, tempfile
        >>> from pathlib import Path
        >>> from lightning.pytorch import Trainer
        >>> from lesionseg import Segmenter, SyntheticDataModule
        >>> from lesionseg.callbacks.score_report import ScoreReport
        >>> model = Segmenter("segan", network_arguments={"width": 2}, size=(32, 32))
        >>> data = SyntheticDataModule(size=(32, 32), test_length=2, batch_size=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer = Trainer(
        ...         accelerator="cpu", logger=False, enable_progress_bar=False,
        ...         callbacks=[ScoreReport(folder, images=0)], default_root_dir=folder,
        ...     )
        ...     with contextlib.redirect_stdout(io.StringIO()):
        ...         _ = trainer.test(model, data, verbose=False)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['scores.csv', 'scores.json']
    """

    def __init__(
        self,
        directory: str | None = None,
        mask_directory: str | None = None,
        images: int = 12,
        overwrite: bool = False,
        extended: bool = False,
        tolerance: float = 2.0,
        spacing: float | None = None,
    ) -> None:
        if images < 0:
            raise ValueError(f"expected images to be at least 0, got {images}")
        self.extended = ExtendedScore(tolerance, spacing) if extended else None
        self.directory = directory
        self.mask_directory = mask_directory
        self.images = images
        self.overwrite = overwrite
        #: Class and arguments of the DataModule, and command and arguments, if known.
        self.data: Mapping[str, Any] | None = None
        self.command: Sequence[str] | None = None
        self._home, self._prefix = Path(), ""

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check existing files, and remove unfinished files of a killed test.

        Raises:
            LesionsegError: If a result would overwrite an image or a mask of this test, or a file
                not of this package, or no folder can be written to.
        """
        dataset: Any = getattr(trainer.test_dataloaders, "dataset", None)
        results: list[Path] = []
        folder = run_folder(trainer)  # a collective call
        if self.directory is None and trainer.is_global_zero:
            default = Path(trainer.default_root_dir)
            if trainer.ckpt_path is not None:
                self._home, self._prefix = home_of(Path(trainer.ckpt_path), default)
            else:
                self._home, self._prefix = home_of(None, folder or default)
        if self.directory is not None:
            names = ["scores.csv", "scores.json", *(["overlays.png"] if self.images else [])]
            names += ["extended.csv", "reliability.csv"] if self.extended is not None else []
            results += [Path(self.directory, name) for name in names]
        if self.mask_directory is not None:
            results += [self._mask_path(name) for name in getattr(dataset, "ids", [])]
        check_outputs(
            results,
            getattr(dataset, "files", []),
            self.overwrite,
            "give another --report.directory or --report.mask_directory, or "
            "--report.overwrite true",
        )
        if self.mask_directory is not None and trainer.is_global_zero:
            remove_unfinished(self.mask_directory)
        if self.extended is not None:
            self.extended.reset()
            self.extended.to(pl_module.device)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the masks of a batch, and score them beyond overlap."""
        if self.extended is not None:
            self.extended.update(
                outputs["mask"], outputs["truth"], outputs["probability"], outputs["id"]
            )
        if self.mask_directory is not None:
            for name, mask in zip(outputs["id"], outputs["mask"], strict=True):
                save_mask(mask.cpu().numpy(), self._mask_path(name))

    def _mask_path(self, name: str) -> Path:
        return Path(self.mask_directory or "", f"{name}_segmentation.png")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print and write the report."""
        assert isinstance(pl_module, SegmentationModule)
        table = pl_module.test_table
        if table is None:
            return
        extended = None if self.extended is None else self.extended.table()  # a collective call
        if not trainer.is_global_zero:
            return
        test = describe_test(trainer, pl_module, table.ids, self.data, self.command)
        if self.directory is not None:
            directory = Path(self.directory)
        else:
            directory = folder_of_test(self._home, self._prefix + name_of(test), test)
        remove_unfinished(directory)
        with atomic_path(directory / RECORD) as temporary:  # first, since it identifies the folder
            content = json.loads(table.to_json()) | {"test": test}
            if extended is not None:
                content["extended"] = extended.to_dict()
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(table.render())
        if extended is not None:
            extended.to_csv(directory / "extended.csv")
            extended.reliability_to_csv(directory / "reliability.csv")
            print(f"\n{extended.render()}")
        dataset: Any = getattr(trainer.test_dataloaders, "dataset", None)
        overlays = directory / "overlays.png" if self.images and hasattr(dataset, "ids") else None
        if overlays is not None:
            save_picture(overlay_sheet(pl_module, dataset, table, self.images), overlays)
        table.to_csv(directory / "scores.csv")  # last, since it tells that a test is finished
        views = views_of(pl_module.test_time_augmentation)
        if len(views) > 1:
            print(f"Views:    {len(views)} of each image, averaged")
        print(f"Scores:   {directory / 'scores.json'} and, per image, {directory / 'scores.csv'}")
        if extended is not None:
            print(
                f"Extended: {directory / 'extended.csv'} per image, and "
                f"{directory / 'reliability.csv'}"
            )
        if overlays is not None:
            print(f"Overlays: {overlays} (truth green, prediction red)")


def overlay_sheet(
    model: SegmentationModule, dataset: Dataset[Any], table: ScoreTable, images: int = 12
) -> Image.Image:
    """Draw the best, median and worst images by Jaccard, with truth and prediction outlined.

    Args:
        model: Model, which predicts these images once more.
        dataset: Data set with ``ids``, and samples with ``mask``.
        table: Scores of all images of the data set.
        images: Number of images, a third each of best, median and worst.
    """
    rows = max(1, images // 3)
    jaccard = dict(zip(table.ids, table.scores["jaccard"], strict=True))
    chosen = [
        (group, name)
        for group, names in (
            ("best", table.best(rows)),
            ("median", table.median(rows)),
            ("worst", table.worst(rows)),
        )
        for name in names
    ]
    tiles = []
    for group, name in chosen:
        picture = _picture(model, dataset, name)
        tiles.append((picture, f"{group}  {name}  J {jaccard[name]:.3f}"))
    return contact_sheet(tiles, columns=rows)


def _picture(model: SegmentationModule, dataset: Any, name: str) -> Image.Image:
    ids: Sequence[str] = dataset.ids
    sample = dataset[ids.index(name)]
    batch = collate_samples([sample])
    batch["image"] = batch["image"].to(model.device)
    batch["size"] = [(sample["image"].shape[1], sample["image"].shape[2])]
    with torch.no_grad():
        prediction = model.predict_step(dict(batch))[0]
    return draw_outline(draw_sample(sample), prediction.mask.cpu().numpy())
