"""Test-time augmentation: average the probabilities of flipped and rotated views of an image.

Works on torch tensors and NumPy arrays, without importing torch, which exported files do not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

TestTimeAugmentation = Literal["none", "flips", "flips_and_rotations"]

TEST_TIME_AUGMENTATIONS: tuple[TestTimeAugmentation, ...] = get_args(TestTimeAugmentation)
"""All names: only the image itself; with its flips, 4 views; with rotations too, 8 views."""

ArrayT = TypeVar("ArrayT", npt.NDArray[Any], "Tensor")


class View(NamedTuple):
    """One of the eight flips and rotations of a square.

    Attributes:
        flipped: Axes along which the image is flipped first.
        transposed: Whether rows and columns are then swapped; with flips these are the rotations by
            90 degrees.
    """

    flipped: tuple[int, ...] = ()
    transposed: bool = False

    def apply(self, image: ArrayT) -> ArrayT:
        """Return the view of an image (..., H, W)."""
        flipped = _flip(image, self.flipped)
        return _transpose(flipped) if self.transposed else flipped

    def invert(self, maps: ArrayT) -> ArrayT:
        """Return maps (..., H, W) of the view as maps of the image."""
        return _flip(_transpose(maps) if self.transposed else maps, self.flipped)


_FLIPS = (View(), View((-1,)), View((-2,)), View((-2, -1)))
_VIEWS: dict[TestTimeAugmentation, tuple[View, ...]] = {
    "none": _FLIPS[:1],
    "flips": _FLIPS,
    "flips_and_rotations": (*_FLIPS, *(view._replace(transposed=True) for view in _FLIPS)),
}


def views_of(augmentation: TestTimeAugmentation) -> tuple[View, ...]:
    """Return the views of an augmentation; the first is the image itself.

    Raises:
        ValueError: If there is no augmentation of this name.
    """
    if augmentation not in _VIEWS:
        raise ValueError(
            f"expected test_time_augmentation to be one of {', '.join(TEST_TIME_AUGMENTATIONS)}, "
            f"got {augmentation!r}"
        )
    return _VIEWS[augmentation]


def average_views(
    predict: Callable[[ArrayT], ArrayT],
    image: ArrayT,
    augmentation: TestTimeAugmentation = "flips",
) -> ArrayT:
    """Average the predictions of several views of an image.

    The views form a group: for any network, the average of a flipped (or, with rotations, rotated)
    image is the flipped or rotated average of the image, up to rounding. Views are predicted one
    after the other, which needs no more memory than a single one.

    Chosen: probabilities are averaged, not logits. Rotated by 90 degrees, an image that is not
    square has the size (W, H), so that the network sees pixels of the same shape; resizing to
    (H, W) would squash them.

    Args:
        predict: Returns maps (..., H, W) of images (..., H, W); with rotations also (..., W, H).
        image: An image or a batch of images, a tensor or an array.
        augmentation: ``"none"`` returns ``predict(image)``; ``"flips"`` averages 4 views, flipped
            left-right, up-down, both and neither; ``"flips_and_rotations"`` these and the same
            rotated by 90 degrees, 8 views.

    Returns:
        Maps (..., H, W), of the type that ``predict`` returns.

    Raises:
        ValueError: If there is no augmentation of this name.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference import average_views
        >>> columns = lambda image: np.arange(4.0) + 0 * image  # depends on the orientation
        >>> average_views(columns, np.ones((2, 4)), "flips")
        array([[1.5, 1.5, 1.5, 1.5],
               [1.5, 1.5, 1.5, 1.5]])
    """
    views = views_of(augmentation)
    if len(views) == 1:
        return predict(image)
    return _mean(view.invert(predict(view.apply(image))) for view in views)


def pool_views(
    predict: Callable[[Tensor], tuple[Tensor, Tensor | None]],
    image: Tensor,
    augmentation: TestTimeAugmentation,
) -> tuple[Tensor, Tensor | None]:
    """Average a mean and, if there is one, a standard deviation over views.

    The variance is that of all samples of all views together: the mean of the views' variances plus
    the variance of their means. Without deviations it is the latter.

    Args:
        predict: Returns mean (N, 1, H, W) and deviation, or None, of images (N, 3, H, W).
        image: (N, 3, H, W).
        augmentation: See :func:`average_views`; ``"none"`` returns ``predict(image)``.

    Returns:
        Mean and deviation, (N, 1, H, W).

    Raises:
        ValueError: If there is no augmentation of this name.
    """
    views = views_of(augmentation)
    if len(views) == 1:
        return predict(image)
    means, variances = [], []
    for view in views:
        mean, deviation = predict(view.apply(image))
        means.append(view.invert(mean))
        if deviation is not None:
            variances.append(view.invert(deviation) ** 2)
    pooled = _mean(iter(means))
    variance = _mean((mean - pooled) ** 2 for mean in means)
    if variances:
        variance = variance + _mean(iter(variances))
    return pooled, variance.sqrt()


def _mean(maps: Iterator[ArrayT]) -> ArrayT:
    """Return the mean of at least one map."""
    total, count = next(maps), 1
    for item in maps:
        total = total + item
        count += 1
    return total / count


def _flip(array: ArrayT, axes: tuple[int, ...]) -> ArrayT:
    if not axes:
        return array
    return np.flip(array, axes) if isinstance(array, np.ndarray) else array.flip(axes)


def _transpose(array: ArrayT) -> ArrayT:
    """Swap rows and columns, contiguous in memory, which some networks need."""
    swapped: ArrayT = array.swapaxes(-1, -2)
    if isinstance(swapped, np.ndarray):
        return np.ascontiguousarray(swapped)
    return swapped.contiguous()
