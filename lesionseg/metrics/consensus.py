"""Consensus of several masks of an image: majority vote and STAPLE (numpy only)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lesionseg.metrics.official import PROBABILITY_THRESHOLD

MAX_MASKS = 20
"""Most masks of an image."""

_CONVERGED = 1e-14  # squared change of each sensitivity and specificity, as in ITK
_MAX_STEPS = 10_000

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Votes:
    """Pixels of an image, grouped by who marks them as lesion.

    All agreement follows from at most 2^masks groups instead of millions of pixels.

    Attributes:
        marked: bool (groups, masks), whether a mask is lesion in the group.
        pixels: int64 (groups,), number of pixels.
    """

    marked: Bool
    pixels: npt.NDArray[np.int64]

    @classmethod
    def count(cls, masks: Sequence[npt.NDArray[Any]]) -> "Votes":
        """Group the pixels of masks (height, width) of one shape, bool."""
        codes = _encode(masks)
        pixels = np.bincount(codes.ravel(), minlength=1 << len(masks))
        (found,) = pixels.nonzero()
        return cls(_decode(found, len(masks)), pixels[found])

    def compare(self, first: Bool, second: Bool) -> npt.NDArray[np.int64]:
        """Return true and false positives, false and true negatives of two masks, by groups."""
        cells = (first & second, first & ~second, ~first & second, ~first & ~second)
        return np.array([self.pixels[cell].sum() for cell in cells])


@dataclass(frozen=True, eq=False)
class Staple:
    """Result of :func:`staple`.

    Attributes:
        probability: float64 (height, width), probability in [0, 1] that the pixel is lesion.
        sensitivity: float64 (masks,), estimated sensitivity of each annotator.
        specificity: float64 (masks,), estimated specificity of each annotator.

    Example:
        >>> from lesionseg.metrics import staple
        >>> result = staple([[[1, 1, 0, 0]], [[1, 1, 0, 0]], [[0, 1, 1, 0]]])
        >>> result.mask.astype(int)
        array([[1, 1, 0, 0]])
    """

    probability: Float
    sensitivity: Float
    specificity: Float

    @property
    def mask(self) -> Bool:
        """The pixels of probability above 0.5, bool (height, width)."""
        return self.probability > PROBABILITY_THRESHOLD


def majority_vote(masks: Sequence[npt.NDArray[Any]], ties: bool = True) -> Bool:
    """Return the pixels that at least half of the masks mark as lesion.

    Args:
        masks: 1 to 20 masks (height, width) of one shape; nonzero is lesion.
        ties: Whether a pixel that exactly half of the masks mark is lesion, as in the majority
            masks that IMA++ publishes.

    Returns:
        Bool (height, width).

    Raises:
        ValueError: If there is no mask, there are too many, or their shapes differ.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import majority_vote
        >>> masks = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]]])
        >>> majority_vote(masks).astype(int), majority_vote(masks, ties=False).astype(int)
        (array([[1, 1, 0, 0]]), array([[1, 0, 0, 0]]))
    """
    codes = _encode(masks)
    table = majority_of(_decode(np.arange(1 << len(masks)), len(masks)), ties)
    agreed: Bool = table[codes]
    return agreed


def majority_of(marked: Bool, ties: bool = True) -> Bool:
    """Return whether each group of :class:`Votes`, or of a part of its masks, is lesion."""
    twice, count = 2 * marked.sum(axis=1), marked.shape[1]
    return np.asarray(twice >= count if ties else twice > count, np.bool_)


def staple(masks: Sequence[npt.NDArray[Any]]) -> Staple:
    """Estimate the true mask and each annotator's reliability from several masks (STAPLE).

    Source: Warfield, Zou and Wells, Simultaneous truth and performance level estimation, IEEE
    Transactions on Medical Imaging 23 (2004), expectation maximization. As in ITK's
    ``STAPLEImageFilter``, which SimpleITK has too and IMA++ used, the prior of lesion is the share
    of lesion in all masks, and the iteration starts from the mean of the masks.

    Args:
        masks: 1 to 20 masks (height, width) of one shape; nonzero is lesion.

    Returns:
        Probability of lesion, and each annotator's sensitivity and specificity.

    Raises:
        ValueError: If there is no mask, there are too many, or their shapes differ.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import staple
        >>> careful, sloppy = np.zeros((2, 8, 8), bool)
        >>> careful[2:6, 2:6], sloppy[2:6, 2:8] = True, True
        >>> result = staple([careful, careful, sloppy])
        >>> bool((result.mask == careful).all()), result.specificity.round(2)
        (True, array([1.  , 1.  , 0.83]))
    """
    codes = _encode(masks)
    votes = Votes.count(masks)
    weight, sensitivity, specificity = staple_of(votes.marked, votes.pixels)
    table = np.zeros(1 << len(masks))
    table[votes.marked @ (1 << np.arange(len(masks)))] = weight
    return Staple(table[codes], sensitivity, specificity)


def staple_of(marked: Bool, pixels: npt.NDArray[np.int64]) -> tuple[Float, Float, Float]:
    """Return the probability of lesion of each group of :class:`Votes`, and the reliabilities."""
    weight = marked.mean(axis=1)  # as in ITK; the paper starts from the reliabilities
    prior = float(pixels @ weight / pixels.sum())
    before = np.zeros((2, marked.shape[1]))
    for _ in range(_MAX_STEPS):
        sensitivity = _share(pixels * weight, marked)
        specificity = _share(pixels * (1 - weight), ~marked)
        now = np.stack([sensitivity, specificity])
        lesion = prior * np.where(marked, sensitivity, 1 - sensitivity).prod(axis=1)
        skin = (1 - prior) * np.where(marked, 1 - specificity, specificity).prod(axis=1)
        whole = lesion + skin
        weight = np.divide(lesion, whole, out=np.zeros_like(lesion), where=whole > 0)
        if ((now - before) ** 2 <= _CONVERGED).all():
            break
        before = now
    return weight, sensitivity, specificity


def _share(weight: Float, marked: Bool) -> Float:
    """Return the share of the weight that each mask marks; 1 if there is no weight."""
    total = weight.sum()
    share: Float = weight @ marked / total if total > 0 else np.ones(marked.shape[1])
    return share


def check_masks(masks: Sequence[npt.NDArray[Any]]) -> list[Bool]:
    """Return masks as bool arrays.

    Raises:
        ValueError: If there is none, there are more than 20, or they are not 2-D of one shape.
    """
    if not 1 <= len(masks) <= MAX_MASKS:
        raise ValueError(f"expected masks to hold 1 to {MAX_MASKS} masks, got {len(masks)}")
    arrays = [np.asarray(mask) != 0 for mask in masks]
    shapes = list(dict.fromkeys(array.shape for array in arrays))
    if len(shapes) > 1 or len(shapes[0]) != 2:
        raise ValueError(
            "expected masks to be (height, width) of one shape, got "
            f"{' and '.join(map(str, shapes))}"
        )
    return arrays


def _encode(masks: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int32]:
    """Return each pixel's masks as a number whose bit i is mask i."""
    arrays = check_masks(masks)
    codes = np.zeros(arrays[0].shape, np.int32)
    for index, mask in enumerate(arrays):
        codes |= mask.astype(np.int32) << index
    return codes


def _decode(codes: npt.NDArray[np.integer[Any]], count: int) -> Bool:
    return (codes[:, None] >> np.arange(count) & 1).astype(bool)
