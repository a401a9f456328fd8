"""Predictions for ``lesionseg inspect --model``: of a model, or of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lesionseg.checkpoints import read_checkpoint
from lesionseg.data.discovery.names import list_files, stem_of, strip_ending
from lesionseg.data.io.reading import read_image, read_mask
from lesionseg.errors import InvalidDataError
from lesionseg.inference.loading import load_predictor
from lesionseg.inspection.records import ImageRecord
from lesionseg.metrics.official import GRAY_THRESHOLD


class MaskPredictions(NamedTuple):
    """Where predicted masks come from.

    Attributes:
        predict: Returns the mask of a record, bool (height, width); None if there is none.
        trained_on: Ids of the training images; none if every image was held out; None if unknown.
    """

    predict: Callable[[ImageRecord], npt.NDArray[np.bool_] | None]
    trained_on: frozenset[str] | None


def open_predictions(model: str, device: str = "auto") -> MaskPredictions:
    """Open a model or a folder of ``lesionseg cross-validate``.

    Args:
        model: The folder, or a model as for :func:`~lesionseg.inference.load_predictor`.
        device: Device of the model.

    Raises:
        CheckpointError: If there is no such model.
        InvalidDataError: If no fold of the cross-validation is finished.
    """
    folder = Path(model)
    if (folder / "fold_0").is_dir() or (folder / "folds").is_dir():
        return _of_cross_validation(folder)
    predictor = load_predictor(model, device)
    trained_on = None
    if folder.suffix.lower() != ".onnx":
        trained_on = frozenset(read_checkpoint(model)["lesionseg"].get("trained_on") or ()) or None

    def predict(record: ImageRecord) -> npt.NDArray[np.bool_]:
        assert record.image is not None
        return predictor(read_image(record.image)).mask

    return MaskPredictions(predict, trained_on)


def _of_cross_validation(folder: Path) -> MaskPredictions:
    """Read the masks of all folds, each predicted by the model that did not train on the image."""
    masks = folder / "masks"
    files = list_files(masks, "masks") if masks.is_dir() else []
    if not files:
        raise InvalidDataError(
            f"the cross-validation {folder} has no predictions in {masks}; finish it with "
            "lesionseg cross-validate."
        )
    by_id = {strip_ending(stem_of(path)): path for path in files}

    def predict(record: ImageRecord) -> npt.NDArray[np.bool_] | None:
        path = by_id.get(record.id) or by_id.get(strip_ending(record.id))
        return None if path is None else read_mask(path) > GRAY_THRESHOLD

    return MaskPredictions(predict, frozenset())
