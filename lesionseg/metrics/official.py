"""The formulas of the official ISIC segmentation score, from confusion counts (numpy only).

Source: ``isic-challenge-scoring``, the scorer of the ISIC challenges 2016 to 2018: both masks are
binarized at gray value > 128, every image gets one confusion matrix, and each score is the plain
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
            "expected aggregation to be 'image' (the official mean over images) or 'pooled' (one "
            f"score of all pixels together), got {aggregation!r}"
        )


def confusion_counts(
    prediction: npt.NDArray[Any], truth: npt.NDArray[Any]
) -> tuple[int, int, int, int]:
    """Count the pixels of one image in the four cells of its confusion matrix.

    Args:
        prediction: Mask (height, width), bool, or uint8 gray values of which > 128 is lesion.
        truth: Mask of the same shape, bool or uint8 likewise.

    Returns:
        True positives, false positives, false negatives and true negatives, in pixels.

    Raises:
        ValueError: If a mask has another dtype or not two dimensions, holds nothing but 0 and one
            number that is not above 128, or the shapes differ.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import confusion_counts
        >>> prediction = np.array([[True, True, False, False]])
        >>> truth = np.array([[255, 129, 128, 200]], dtype=np.uint8)
        >>> confusion_counts(prediction, truth)
        (2, 0, 1, 1)
    """
    prediction = _checked_mask(prediction, "prediction")
    truth = _checked_mask(truth, "truth")
    if prediction.shape != truth.shape:
        raise ValueError(
            f"expected prediction to have the truth's shape {truth.shape}, got {prediction.shape}; "
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

    Where a ratio is 0/0 the score is 1, as in the official scorer: Jaccard, thresholded Jaccard and
    Dice if both masks are empty, sensitivity if the truth is empty, and specificity if the truth is
    full.

    Args:
        counts: Integer array (images, 4): true positives, false positives, false negatives and
            true negatives. Each image has at least one pixel.
        threshold: Jaccard index in [0, 1] below which ``threshold_jaccard`` is 0.

    Returns:
        For each name in :data:`SCORE_NAMES` a float64 array (images,) of values in [0, 1].

    Raises:
        ValueError: If the counts are not such an array.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import scores_from_counts
        >>> counts = np.array([[6, 2, 2, 90], [0, 0, 0, 100]])
        >>> scores = scores_from_counts(counts)
        >>> scores["jaccard"], scores["threshold_jaccard"]
        (array([0.6, 1. ]), array([0., 1.]))
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
    r"""Compute the six scores of all pixels together, as if the images were a single large image.

    This is not the official score. The MobileGAN paper's Table 1 is pooled: in its rows
    $\mathrm{Dice} = 2 J / (1 + J)$ holds exactly, which means over images do not satisfy.

    Args:
        counts: Integer array (images, 4), as for :func:`scores_from_counts`; at least one image.
        threshold: As for :func:`scores_from_counts`.

    Returns:
        For each name in :data:`SCORE_NAMES` a float in [0, 1].

    Raises:
        ValueError: If the counts are not such an array, or there is no image.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import pooled_scores
        >>> counts = np.array([[6, 2, 2, 90], [0, 0, 0, 100]])
        >>> pooled_scores(counts)["jaccard"]
        0.6
    """
    counts = checked_counts(counts)
    if not len(counts):
        raise ValueError("expected counts of at least 1 image, got no image")
    scores = scores_from_counts(counts.sum(axis=0, keepdims=True), threshold)
    return {name: float(values[0]) for name, values in scores.items()}


def checked_counts(counts: npt.NDArray[np.integer[Any]]) -> Counts:
    """Return the counts as an int64 array (images, 4).

    Raises:
        ValueError: If they are not non-negative integers (images, 4), or an image has no pixels.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != 4:
        raise ValueError(
            f"expected counts to be (images, 4): tp, fp, fn, tn; got shape {counts.shape}"
        )
    if not np.issubdtype(counts.dtype, np.integer):
        raise ValueError(f"expected counts to be integers, got {counts.dtype}")
    if (counts < 0).any():
        raise ValueError(
            f"expected counts to be at least 0, got the negative number {counts.min()}"
        )
    if (counts.sum(axis=1) == 0).any():
        raise ValueError(
            "expected counts of images with pixels, got an image without pixels; leave it out"
        )
    return counts.astype(np.int64, copy=False)


def _ratio(part: Counts, whole: Counts) -> npt.NDArray[np.float64]:
    """Return part / whole, and 1 where whole is 0."""
    return np.divide(part, whole, out=np.ones(part.shape), where=whole != 0)


def _checked_mask(mask: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"expected {name} to be a mask (height, width), got shape {mask.shape}")
    if mask.dtype not in (np.bool_, np.uint8):
        raise ValueError(f"expected {name} to be bool or uint8 gray values, got {mask.dtype}")
    most = mask.max(initial=0)
    if mask.dtype == np.uint8 and 0 < most <= GRAY_THRESHOLD and np.isin(mask, (0, most)).all():
        raise ValueError(
            f"expected {name} to have gray values above {GRAY_THRESHOLD} for lesion, got only 0 "
            f"and {most}; pass a bool mask"
        )
    return mask


def _to_bool(mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return mask if mask.dtype == np.bool_ else mask > GRAY_THRESHOLD
