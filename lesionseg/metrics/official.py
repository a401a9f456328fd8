"""The formulas of the official ISIC segmentation score, from confusion counts (numpy only).

Source: ``isic-challenge-scoring``, the scorer of the ISIC challenges 2016 to 2018: both masks are
binarised at grey value > 128, every image gets one confusion matrix, and each score is the plain
mean over images. The scorer's conventions for 0/0 are kept, see :func:`scores_from_counts`.
"""

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Aggregation = Literal["image", "pooled"]
Counts: TypeAlias = npt.NDArray[np.int64]
Scores: TypeAlias = dict[str, npt.NDArray[np.float64]]

SCORE_NAMES = ("accuracy", "sensitivity", "specificity", "jaccard", "threshold_jaccard", "dice")
"""The six scores, named and ordered as the official scorer prints them."""

GRAY_THRESHOLD = 128
"""A pixel is lesion where its gray value, 0 to 255, is above this."""

PROBABILITY_THRESHOLD = 0.5
"""A pixel is lesion where its probability is above this."""

JACCARD_THRESHOLD = 0.65
"""A Jaccard index below this counts as 0 in the thresholded Jaccard; exactly this passes."""

_BAND_PIXELS = 1 << 18


def check_aggregation(aggregation: str) -> None:
    """Raise ValueError unless ``aggregation`` is ``"image"`` or ``"pooled"``."""
    if aggregation not in ("image", "pooled"):
        raise ValueError(
            f"aggregation is {aggregation!r}; take 'image' (the official mean over images) "
            "or 'pooled' (one score of all pixels together)"
        )


def confusion_counts(
    prediction: npt.NDArray[Any], truth: npt.NDArray[Any]
) -> tuple[int, int, int, int]:
    """Count the pixels of one image in the four cells of its confusion matrix.

    Args:
        prediction: Mask (height, width), bool, or uint8 grey values of which > 128 is lesion.
        truth: Mask of the same shape, bool or uint8 likewise.

    Returns:
        True positives, false positives, false negatives and true negatives, in pixels.

    Raises:
        ValueError: If a mask has another dtype or not two dimensions, holds one number beside 0
            that is not above 128, or the shapes differ.
    """
    prediction = _checked_mask(prediction, "prediction")
    truth = _checked_mask(truth, "truth")
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction has shape {prediction.shape}, truth {truth.shape}; "
            "resize the probabilities to the truth's height and width before the threshold"
        )
    tp = predicted = lesion = 0
    # In bands of rows that stay in the processor's cache, which is faster than whole masks.
    rows = _BAND_PIXELS // max(truth.shape[1], 1) + 1
    for top in range(0, len(truth), rows):
        found = _to_bool(prediction[top : top + rows])
        true = _to_bool(truth[top : top + rows])
        predicted += int(np.count_nonzero(found))
        lesion += int(np.count_nonzero(true))
        tp += int(np.count_nonzero(found & true))
    return tp, predicted - tp, lesion - tp, truth.size - predicted - lesion + tp


def scores_from_counts(
    counts: npt.NDArray[np.integer[Any]], threshold: float = JACCARD_THRESHOLD
) -> Scores:
    """Compute the six official scores of every image.

    Where a ratio is 0/0 the official scorer gives full marks: Jaccard, thresholded Jaccard and
    Dice are 1 if both masks are empty, sensitivity is 1 if the truth is empty, and specificity is
    1 if the truth is full.

    Args:
        counts: Integer array (images, 4): true positives, false positives, false negatives and
            true negatives. Each image has at least one pixel.
        threshold: Jaccard index, 0 to 1, from which on it counts in ``threshold_jaccard``.

    Returns:
        For each name in :data:`SCORE_NAMES` a float64 array (images,) of values in [0, 1].

    Raises:
        ValueError: If the counts are not such an array.
    """
    tp, fp, fn, tn = checked_counts(counts).T
    jaccard = _ratio(tp, tp + fp + fn)
    return {
        "accuracy": (tp + tn) / (tp + fp + fn + tn),
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "jaccard": jaccard,
        # The quotient of two integers is rounded once, as the literal is: 13/20 >= 0.65 holds.
        "threshold_jaccard": np.where(jaccard >= threshold, jaccard, 0.0),
        "dice": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def pooled_scores(
    counts: npt.NDArray[np.integer[Any]], threshold: float = JACCARD_THRESHOLD
) -> dict[str, float]:
    """Compute the six scores of all pixels together, as if the images were one large image.

    This is not the official score. The MobileGAN paper's Table 1 is pooled: in its rows
    Dice = 2J / (1 + J) holds exactly, which means over images do not satisfy.

    Args:
        counts: Integer array (images, 4), as for :func:`scores_from_counts`; at least one image.
        threshold: As for :func:`scores_from_counts`.

    Returns:
        For each name in :data:`SCORE_NAMES` a float in [0, 1].

    Raises:
        ValueError: If the counts are not such an array, or there is no image.
    """
    counts = checked_counts(counts)
    if not len(counts):
        raise ValueError("there is no image to score; pass the counts of at least one")
    scores = scores_from_counts(counts.sum(axis=0, keepdims=True), threshold)
    return {name: float(values[0]) for name, values in scores.items()}


def checked_counts(counts: npt.NDArray[np.integer[Any]]) -> Counts:
    """Return the counts as an int64 array (images, 4), or raise ValueError saying what is wrong."""
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != 4:
        raise ValueError(f"counts have shape {counts.shape}; pass (images, 4): tp, fp, fn, tn")
    if not np.issubdtype(counts.dtype, np.integer):
        raise ValueError(f"counts have dtype {counts.dtype}; pass integers")
    if (counts < 0).any():
        raise ValueError("counts hold a negative number; pass numbers of pixels")
    if (counts.sum(axis=1) == 0).any():
        raise ValueError("counts hold an image without pixels; leave it out")
    return counts.astype(np.int64, copy=False)


def _ratio(part: Counts, whole: Counts) -> npt.NDArray[np.float64]:
    """Return part / whole, and 1 where whole is 0."""
    return np.divide(part, whole, out=np.ones(part.shape), where=whole != 0)


def _checked_mask(mask: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"{name} has shape {mask.shape}; pass one mask (height, width)")
    if mask.dtype not in (np.bool_, np.uint8):
        raise ValueError(f"{name} has dtype {mask.dtype}; pass bool, or uint8 grey values 0 to 255")
    most = mask.max(initial=0)
    if mask.dtype == np.uint8 and 0 < most <= GRAY_THRESHOLD and np.isin(mask, (0, most)).all():
        raise ValueError(
            f"{name} holds 0 and {most} only, and lesion is what lies above {GRAY_THRESHOLD}; "
            "pass a bool mask"
        )
    return mask


def _to_bool(mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return mask if mask.dtype == np.bool_ else mask > GRAY_THRESHOLD
