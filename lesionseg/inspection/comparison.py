"""Compare the masks of a data set with the predictions of a model, to find wrong masks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from lesionseg.data.id_lists import archive_ids
from lesionseg.inspection.records import COMPARED, ImageRecord, Lesion, measure

Bool = npt.NDArray[np.bool_]

KINDS = ("empty", "whole image", "inverted", "shifted")
"""Kinds of faults, in the order in which they are listed."""

#: Share of lesion from which a mask covers the whole image. The largest real lesion of ISIC 2018's
#: training images covers 98.7 %.
WHOLE = 0.99
#: IoU of the complement and the prediction, by how much that is better, and the share of the
#: picture's outermost pixels that are in the mask, of inverted masks. Without the last, a small
#: lesion whose surroundings the model segments would count.
INVERTED, INVERTED_GAIN, INVERTED_FRAME = 0.5, 0.3, 0.5
#: The same of the mask after its best shift, and the least shift as a share of a side.
SHIFTED, SHIFTED_GAIN, LEAST_SHIFT = 0.75, 0.25, 0.04


class MaskFinding(NamedTuple):
    """A mask and what a model predicts for its image.

    Attributes:
        record: Index of the record.
        iou: Intersection over union of mask and prediction, both at 128 x 128.
        kind: One of :data:`KINDS`; "" if the mask has none of these faults.
        details: What the fault is based on, for the message.
        predicted: Measurements of the prediction.

    Example:
        >>> lesion = measure(np.full((96, 128), 255, np.uint8))
        >>> MaskFinding(0, *find_fault(lesion, lesion), lesion).kind
        'whole image'
    """

    record: int
    iou: float
    kind: str
    details: str
    predicted: Lesion


@dataclass(frozen=True)
class ModelComparison:
    """Result of :func:`compare_masks`.

    Attributes:
        model: Name of the model.
        findings: All masks, those that differ most from the prediction first.
        trained: Ids among them that the model was trained on, whose masks it may have learned.
        unknown: Whether it is not known what the model was trained on.
        unpredicted: Number of masks without a prediction.

    Example:
        >>> ModelComparison("mobilegan", findings=(), unpredicted=3).unpredicted
        3
    """

    model: str
    findings: tuple[MaskFinding, ...]
    trained: tuple[str, ...] = ()
    unknown: bool = False
    unpredicted: int = 0


def compare_masks(
    records: Sequence[ImageRecord],
    predict: Callable[[ImageRecord], Bool | None],
    model: str,
    trained_on: Collection[str] | None = None,
) -> ModelComparison:
    """Compare each mask with a prediction, with a progress bar if stderr is a terminal.

    Args:
        records: Records of :func:`~lesionseg.inspection.inspect_data`; those without a readable
            image or mask are left out.
        predict: Returns a record's predicted mask, bool (height, width); None if there is none.
        model: Name of the model, for the report.
        trained_on: Ids of the model's training images; none if every image was held out; None if
            unknown.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from lesionseg.inspection import compare_masks, inspect_data
        >>> lesion = np.zeros((96, 128), bool)
        >>> lesion[20:60, 30:80] = True
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, mask in {"good": lesion, "bad": ~lesion}.items():
        ...         Image.new("RGB", (128, 96)).save(Path(folder, f"{name}.jpg"))
        ...         Image.fromarray(mask).save(Path(folder, f"{name}_mask.png"))
        ...     records = inspect_data(folder).records
        ...     comparison = compare_masks(records, lambda record: lesion, "ideal", ())
        >>> [(records[f.record].id, f.kind, f.iou) for f in comparison.findings]
        [('bad', 'inverted', 0.0), ('good', '', 1.0)]
    """
    findings: list[MaskFinding] = []
    unpredicted = 0
    usable = [i for i, record in enumerate(records) if record.lesion and record.fingerprint]
    for index in tqdm(usable, desc="predict", unit="image", disable=None):
        lesion = records[index].lesion
        assert lesion is not None
        mask = predict(records[index])
        if mask is None:
            unpredicted += 1
            continue
        predicted = measure(np.where(mask, np.uint8(255), np.uint8(0)))
        findings.append(MaskFinding(index, *find_fault(lesion, predicted), predicted))
    ids = {records[finding.record].id for finding in findings}
    trained = archive_ids(ids) & archive_ids(trained_on or ())
    return ModelComparison(
        model,
        tuple(sorted(findings, key=lambda f: (f.iou, records[f.record].id, f.record))),
        tuple(sorted(trained)),
        trained_on is None,
        unpredicted,
    )


def find_fault(lesion: Lesion, predicted: Lesion) -> tuple[float, str, str]:
    """Return the IoU of a mask and a prediction, and the kind of the mask's fault with details."""
    mask, prediction = unpack(lesion), unpack(predicted)
    iou = _iou(mask, prediction)
    if lesion.area == 0:
        return iou, "empty", ""
    if lesion.area >= WHOLE:
        return iou, "whole image", f"{100 * lesion.area:.1f} % is lesion"
    inverse = _iou(~mask, prediction)
    frame = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    around = frame.mean() >= INVERTED_FRAME
    if around and inverse >= INVERTED and inverse - iou >= INVERTED_GAIN:
        return iou, "inverted", f"IoU with the prediction {iou:.2f}, inverted {inverse:.2f}"
    best, down, right = best_shift(mask, prediction)
    far = max(abs(down) / mask.shape[0], abs(right) / mask.shape[1])
    if best >= SHIFTED and best - iou >= SHIFTED_GAIN and far >= LEAST_SHIFT:
        moves = [
            f"{100 * abs(step) / side:.0f} % {names[step < 0]}"
            for step, side, names in (
                (right, mask.shape[1], ("right", "left")),
                (down, mask.shape[0], ("down", "up")),
            )
            if step
        ]
        where = " and ".join(moves)
        return iou, "shifted", f"IoU with the prediction {iou:.2f}, moved {where} {best:.2f}"
    return iou, "", ""


def best_shift(mask: Bool, prediction: Bool) -> tuple[float, int, int]:
    """Return the highest IoU of a moved mask and a prediction, and the rows and columns it moves.

    A mask that was shifted by mistake lost what left the picture. So the prediction counts only
    where the moved picture of the mask lies, which must hold at least half of it. All shifts are
    tried at once, by Fourier transforms.

    Example:
        >>> prediction = np.zeros((16, 16), bool)
        >>> prediction[2:8, 4:10] = True
        >>> best_shift(np.roll(prediction, (3, -2), (0, 1)), prediction)
        (1.0, -3, 2)
    """
    height, width = mask.shape
    shape = (2 * height, 2 * width)  # nothing comes back on the other side

    def correlate(moved: Bool) -> npt.NDArray[np.float64]:
        spectrum = np.fft.rfft2(prediction, shape) * np.conj(np.fft.rfft2(moved, shape))
        return np.asarray(np.fft.irfft2(spectrum, shape).round(), np.float64)

    shared, inside = correlate(mask), correlate(np.ones_like(mask))
    union = mask.sum() + inside - shared
    allowed = (union > 0) & (2 * inside >= prediction.sum())
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=allowed)
    down, right = (int(i) for i in np.unravel_index(iou.argmax(), shape))
    best = float(iou[down, right])
    return best, down - shape[0] * (down >= height), right - shape[1] * (right >= width)


def unpack(lesion: Lesion) -> Bool:
    """Return a mask at 128 x 128, bool."""
    return np.unpackbits(lesion.packed).reshape(COMPARED).astype(bool)


def _iou(first: Bool, second: Bool) -> float:
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0
