"""Test-time augmentation: one image seen mirrored and turned, and what is said of each averaged.

Works on torch's tensors and on numpy's arrays, and imports no torch: exported files need none.
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
"""All that there are: the image as it is; also mirrored, 4 views; also turned, 8 views."""

ArrayT = TypeVar("ArrayT", npt.NDArray[Any], "Tensor")


class View(NamedTuple):
    """One of the eight ways to lay a square sheet on itself.

    Attributes:
        flipped: The axes along which the image is mirrored first.
        transposed: Whether rows and columns then change places. Together with flips that gives the
            quarter turns.
    """

    flipped: tuple[int, ...] = ()
    transposed: bool = False

    def see(self, image: ArrayT) -> ArrayT:
        """The view of an image (..., H, W)."""
        seen = _flip(image, self.flipped)
        return _transpose(seen) if self.transposed else seen

    def turn_back(self, maps: ArrayT) -> ArrayT:
        """Maps (..., H, W) of the view as maps of the image."""
        return _flip(_transpose(maps) if self.transposed else maps, self.flipped)


_FLIPS = (View(), View((-1,)), View((-2,)), View((-2, -1)))
_VIEWS: dict[TestTimeAugmentation, tuple[View, ...]] = {
    "none": _FLIPS[:1],
    "flips": _FLIPS,
    "flips_and_rotations": (*_FLIPS, *(view._replace(transposed=True) for view in _FLIPS)),
}


def views_of(augmentation: TestTimeAugmentation) -> tuple[View, ...]:
    """The views of an augmentation; the first is the image as it is.

    Raises:
        ValueError: There is no augmentation of this name.
    """
    if augmentation not in _VIEWS:
        raise ValueError(
            f"test_time_augmentation must be one of {', '.join(TEST_TIME_AUGMENTATIONS)}: "
            f"{augmentation!r}"
        )
    return _VIEWS[augmentation]


def average_views(
    predict: Callable[[ArrayT], ArrayT],
    image: ArrayT,
    augmentation: TestTimeAugmentation = "flips",
) -> ArrayT:
    """Average what a network says of several views of an image.

    The views are a group: whatever the network, the average of a mirrored (or, with rotations,
    turned) image is the average of the image, mirrored or turned, up to rounding. A view is
    predicted at a time, so that the memory is that of one and the time that of all.

    Chosen: probabilities are averaged, not logits. In a quarter turn of an image that is not square
    the network is fed (W, H) instead of (H, W): pixels keep their shape, which resizing to (H, W)
    would squash.

    Args:
        predict: Maps (..., H, W) of images (..., H, W); also at (W, H) if there are quarter turns.
        image: A batch or one image, a tensor or an array.
        augmentation: ``"none"`` returns ``predict(image)``; ``"flips"`` averages 4 views, mirrored
            left-right, up-down, both and neither; ``"flips_and_rotations"`` these and the same
            turned by 90 degrees, 8 views.

    Returns:
        Maps (..., H, W) as ``predict`` gives them.

    Raises:
        ValueError: There is no augmentation of this name.
    """
    views = views_of(augmentation)
    if len(views) == 1:
        return predict(image)
    return _mean(view.turn_back(predict(view.see(image))) for view in views)


def pool_views(
    predict: Callable[[Tensor], tuple[Tensor, Tensor | None]],
    image: Tensor,
    augmentation: TestTimeAugmentation,
) -> tuple[Tensor, Tensor | None]:
    """Average a mean and, where there is one, a standard deviation over views.

    The deviation is that of all draws of all views together: the mean of the views' variances and
    the variance of their means. A network without a deviation of its own gets that between the
    views.

    Args:
        predict: Mean (N, 1, H, W) and deviation, or None, of images (N, 3, H, W).
        image: (N, 3, H, W).
        augmentation: See :func:`average_views`; ``"none"`` returns ``predict(image)``.

    Returns:
        Mean and deviation, (N, 1, H, W).

    Raises:
        ValueError: There is no augmentation of this name.
    """
    views = views_of(augmentation)
    if len(views) == 1:
        return predict(image)
    means, variances = [], []
    for view in views:
        mean, deviation = predict(view.see(image))
        means.append(view.turn_back(mean))
        if deviation is not None:
            variances.append(view.turn_back(deviation) ** 2)
    pooled = _mean(iter(means))
    variance = _mean((one - pooled) ** 2 for one in means)
    if variances:
        variance = variance + _mean(iter(variances))
    return pooled, variance.sqrt()


def _mean(maps: Iterator[ArrayT]) -> ArrayT:
    """Of at least one."""
    total, count = next(maps), 1
    for one in maps:
        total = total + one
        count += 1
    return total / count


def _flip(array: ArrayT, axes: tuple[int, ...]) -> ArrayT:
    if not axes:
        return array
    return np.flip(array, axes) if isinstance(array, np.ndarray) else array.flip(axes)


def _transpose(array: ArrayT) -> ArrayT:
    """Whole in memory: not every network takes a tensor of other strides."""
    turned = array.swapaxes(-1, -2)
    return np.ascontiguousarray(turned) if isinstance(turned, np.ndarray) else turned.contiguous()
