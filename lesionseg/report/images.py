"""Read the images of a test once more: their lesions, and pictures of the best and the worst."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lesionseg.data.datamodules.base import BaseDataModule, SampleDataset
from lesionseg.data.datasets.sample import Sample
from lesionseg.errors import LesionsegError
from lesionseg.inference.postprocess import finish_mask
from lesionseg.inference.predictor import Predictor, predictor_of_checkpoint
from lesionseg.inspection.pictures import to_data_uri
from lesionseg.metrics.official import GRAY_THRESHOLD
from lesionseg.metrics.table import ScoreTable
from lesionseg.report.kinds import LesionDescription, describe_lesion
from lesionseg.report.run_data import ScoredTest
from lesionseg.run_folder import CHECKPOINTS
from lesionseg.visualization import PREDICTION_COLOR, TRUTH_COLOR, draw_outline, to_picture

_SIDE = 240  # longer side of a picture in pixels


class Picture(NamedTuple):
    """A picture with its caption.

    Attributes:
        caption: Text below it.
        uri: JPEG as a data URI.
    """

    caption: str
    uri: str


class Row(NamedTuple):
    """Pictures from left to right with a heading."""

    heading: str
    figures: tuple[Picture, ...]


class UnavailableError(LesionsegError):
    """Raised where the images or the checkpoint of a test can no longer be read."""


def areas_of(table: ScoreTable) -> dict[str, LesionDescription]:
    """Return each lesion's share of its image, which follows from the counts."""
    lesion = table.counts[:, 0] + table.counts[:, 2]
    shares = lesion / table.counts.sum(axis=1)
    return {
        name: LesionDescription(float(share)) for name, share in zip(table.ids, shares, strict=True)
    }


def open_images(test: ScoredTest) -> SampleDataset:
    """Open the data set of a test.

    Raises:
        UnavailableError: If the test does not record it, it is not there, or it has changed.
    """
    if test.record is None:
        raise UnavailableError("The table does not record which images were scored.")
    about = test.record.get("data") or {}
    path = str(about.get("class_path"))
    if path.partition(".")[0] != "lesionseg":  # no code that a JSON file names
        raise UnavailableError(f"The images are of {path}, which is not a DataModule of lesionseg.")
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
        if not issubclass(cls, BaseDataModule):
            raise TypeError(f"{path} is no DataModule")
        arguments = dict(about.get("init_args") or {})
        arguments["size"] = tuple(test.record["size"])
        if "test_length" in arguments:
            arguments["test_length"] = max(arguments["test_length"], len(test.table))
        data = cls(**arguments)
        data.setup("test")
    except Exception as error:  # whatever a DataModule raises when its files are gone
        raise UnavailableError(f"The images cannot be read again ({error}).") from error
    dataset: SampleDataset = data.datasets["test"]
    absent = set(test.table.ids) - set(dataset.ids)
    if absent:
        raise UnavailableError(
            f"{len(absent)} of the {len(test.table)} tested images are no longer in the data set."
        )
    return dataset


def describe_all(test: ScoredTest, dataset: SampleDataset) -> dict[str, LesionDescription]:
    """Read all images of a test, and describe their lesions.

    Raises:
        UnavailableError: If an image cannot be read.
    """
    areas = areas_of(test.table)
    rows = {name: row for row, name in enumerate(dataset.ids)}
    found = {}
    for name in tqdm(test.table.ids, desc="images", unit="image", disable=None):
        sample = _sample(dataset, rows[name])
        described = describe_lesion(sample["image"], sample["mask"][0].bool())
        found[name] = described._replace(area=areas[name].area)
    return found


def draw_extremes(test: ScoredTest, dataset: SampleDataset, number: int) -> tuple[list[Row], str]:
    """Draw the best and the worst images, truth in green and prediction in red.

    Args:
        test: Test with its scores.
        dataset: Images of the test.
        number: Number of best and of worst images.

    Returns:
        Rows of pictures, and a sentence about what they do not show; empty if there is nothing.
    """
    number = min(number, (len(test.table) + 1) // 2)
    jaccard = dict(zip(test.table.ids, test.table.scores["jaccard"], strict=True))
    counts = dict(zip(test.table.ids, test.table.counts, strict=True))
    note, predictor = "", None
    try:
        predictor = predictor_of(test)
    except LesionsegError as error:
        note = f"Predictions are not outlined: {error}"
    rows = {name: row for row, name in enumerate(dataset.ids)}
    drawn = []
    for heading, ids in (("worst", test.table.worst(number)), ("best", test.table.best(number))):
        pictures = []
        for name in ids:
            sample = _sample(dataset, rows[name])
            truth = sample["truth"].cpu().numpy() > GRAY_THRESHOLD
            if np.count_nonzero(truth) != counts[name][0] + counts[name][2]:
                raise UnavailableError(f"The mask of {name} has changed since the test.")
            prediction = None if predictor is None else _predict(predictor, sample)
            picture = _draw(sample, truth, prediction)
            pictures.append(Picture(f"{name}: Jaccard {jaccard[name]:.3f}", to_data_uri(picture)))
        drawn.append(Row(heading, tuple(pictures)))
    return drawn, note


def _sample(dataset: SampleDataset, row: int) -> Sample:
    try:
        return dataset[row]
    except (LesionsegError, OSError) as error:
        raise UnavailableError(f"An image cannot be read again ({error}).") from error


def predictor_of(test: ScoredTest) -> Predictor:
    """Load the network of a test as it was tested.

    Raises:
        UnavailableError: If its checkpoint is absent or has changed.
    """
    assert test.record is not None
    record: Mapping[str, Any] = test.record
    checkpoint = record.get("checkpoint")
    if not checkpoint:
        raise UnavailableError("the test records no checkpoint.")
    here = test.file.parent.parent / CHECKPOINTS / Path(checkpoint).name
    path = next((path for path in (here, Path(checkpoint)) if path.is_file()), None)
    if path is None:
        raise UnavailableError(f"there is no checkpoint {checkpoint}.")
    if hashlib.sha256(path.read_bytes()).hexdigest() != record.get("checkpoint_sha256"):
        raise UnavailableError(f"the checkpoint {path} has changed since the test.")
    predictor = predictor_of_checkpoint(
        path,
        test_time_augmentation=record.get("test_time_augmentation", "none"),
        postprocess=record.get("postprocess", "none"),
    )
    height, width = record["size"]
    return replace(predictor, size=(height, width), threshold=record["threshold"])


def _predict(predictor: Predictor, sample: Sample) -> npt.NDArray[np.bool_]:
    height, width = sample["truth"].shape
    probability = predictor.probability(sample["image"], (height, width))
    mask: npt.NDArray[np.bool_] = finish_mask(
        probability, predictor.threshold, predictor.postprocess
    ).numpy()
    return mask


def _draw(
    sample: Sample, truth: npt.NDArray[np.bool_], prediction: npt.NDArray[np.bool_] | None
) -> Image.Image:
    height, width = truth.shape
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = to_picture(sample["image"]).resize(size)
    masks: Sequence[tuple[npt.NDArray[np.bool_] | None, tuple[int, int, int]]]
    masks = ((truth, TRUTH_COLOR), (prediction, PREDICTION_COLOR))
    for mask, color in masks:
        if mask is not None:
            small = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(
                size, Image.Resampling.BOX
            )
            picture = draw_outline(picture, np.asarray(small) > GRAY_THRESHOLD, color)
    return picture
