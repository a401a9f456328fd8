"""Scores of outlines as functions and as torchmetrics classes."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lesionseg.metrics.inputs import Masks, check_sizes, masks_to_bool
from lesionseg.metrics.rows import PerImageScore
from lesionseg.metrics.surface import (
    Mask,
    Spacing,
    boundary_overlap,
    check_tolerance,
    checked_spacing,
    surface_distances,
)


def hausdorff_distance(
    prediction: Masks, truth: Masks, percentile: float = 95, spacing: Spacing | None = None
) -> Tensor:
    r"""Compute the Hausdorff distance of each image, or a percentile of it.

    With $A$ and $B$ the pixels of the two outlines and $d(a, B)$ the distance of a pixel to the
    nearest pixel of the other outline, the larger of the percentiles of $d(a, B)$ over $A$ and of
    $d(b, A)$ over $B$. The outline is the lesion pixels that have a pixel without lesion, or the
    edge of the image, above, below, left or right of them.

    **Empty masks**: 0 if both masks are empty; the image's diagonal, which no distance exceeds, if
    only one is empty.

    Source: Huttenlocher et al., Comparing Images Using the Hausdorff Distance, 1993.

    Args:
        prediction: Masks, as for :class:`lesionseg.metrics.Jaccard`.
        truth: Masks of the same sizes.
        percentile: From 0 to 100; 100 is the Hausdorff distance itself. 95 ignores single pixels.
        spacing: Size of a pixel in millimeters, a number or (height, width); None measures in
            pixels.

    Returns:
        float64 (N,), at least 0.

    Raises:
        ValueError: If an argument is outside its range, or the masks do not fit.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import hausdorff_distance
        >>> truth = torch.zeros(2, 8, 8, dtype=torch.bool)
        >>> truth[0, 2:6, 2:6] = True
        >>> hausdorff_distance(truth.roll(2, dims=2), truth)
        tensor([2., 0.], dtype=torch.float64)
        >>> hausdorff_distance(truth.roll(2, dims=2), truth, spacing=0.05)
        tensor([0.1000, 0.0000], dtype=torch.float64)
    """
    _check_percentile(percentile)
    checked_spacing(spacing)
    return _each(
        prediction,
        truth,
        lambda found, true: surface_distances(found, true, spacing).hausdorff(percentile),
    )


def average_surface_distance(
    prediction: Masks, truth: Masks, spacing: Spacing | None = None
) -> Tensor:
    """Compute the average symmetric surface distance of each image.

    The mean of the distances of all pixels of both outlines to the other outline; see
    :func:`hausdorff_distance` for outlines and empty masks.

    Args:
        prediction: Masks, as for :class:`lesionseg.metrics.Jaccard`.
        truth: Masks of the same sizes.
        spacing: See :func:`hausdorff_distance`.

    Returns:
        float64 (N,), at least 0.

    Raises:
        ValueError: If an argument is outside its range, or the masks do not fit.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import average_surface_distance
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> average_surface_distance(truth.roll(1, dims=2), truth)
        tensor([0.5000], dtype=torch.float64)
    """
    checked_spacing(spacing)
    return _each(
        prediction, truth, lambda found, true: surface_distances(found, true, spacing).average()
    )


def surface_dice(
    prediction: Masks, truth: Masks, tolerance: float = 2.0, spacing: Spacing | None = None
) -> Tensor:
    """Compute the surface Dice of each image, the share of both outlines that agree.

    A pixel of an outline agrees if the other outline is at most ``tolerance`` away. Outlines are
    counted in pixels. See :func:`hausdorff_distance` for outlines.

    **Empty masks**: 1 if both masks are empty, 0 if only one is.

    Source: Nikolov et al., Deep learning to achieve clinically applicable segmentation of head and
    neck anatomy for radiotherapy, 2018 (which measures outlines in millimeters).

    Args:
        prediction: Masks, as for :class:`lesionseg.metrics.Jaccard`.
        truth: Masks of the same sizes.
        tolerance: Distance in pixels, or in millimeters if ``spacing`` is given; at least 0.
        spacing: See :func:`hausdorff_distance`.

    Returns:
        float64 (N,) in [0, 1].

    Raises:
        ValueError: If an argument is outside its range, or the masks do not fit.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import surface_dice
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> surface_dice(truth.roll(1, dims=2), truth, tolerance=0.5)
        tensor([0.5000], dtype=torch.float64)
        >>> surface_dice(truth.roll(1, dims=2), truth, tolerance=1)
        tensor([1.], dtype=torch.float64)
    """
    check_tolerance(tolerance)
    checked_spacing(spacing)
    return _each(
        prediction,
        truth,
        lambda found, true: surface_distances(found, true, spacing).dice(tolerance),
    )


def boundary_iou(
    prediction: Masks, truth: Masks, width: float | None = None, spacing: Spacing | None = None
) -> Tensor:
    """Compute the boundary IoU of each image: the Jaccard index of the rims of both masks.

    A rim is the lesion pixels that have a pixel without lesion, or the edge of the image, at most
    ``width`` away vertically, horizontally or diagonally. Unlike the Jaccard index, it does not
    rise with the size of a lesion.

    **Empty masks**: 1 if both masks are empty, 0 if only one is.

    Source: Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation,
    CVPR 2021, and the authors' code.

    Args:
        prediction: Masks, as for :class:`lesionseg.metrics.Jaccard`.
        truth: Masks of the same sizes.
        width: Width of the rim in pixels, or in millimeters if ``spacing`` is given, rounded to
            pixels, at least 1; None takes 2 % of the image's diagonal, as the paper does.
        spacing: See :func:`hausdorff_distance`.

    Returns:
        float64 (N,) in [0, 1].

    Raises:
        ValueError: If an argument is outside its range, or the masks do not fit.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import boundary_iou
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> boundary_iou(truth.roll(1, dims=2), truth, width=1)  # rims of 12 pixels, 6 in common
        tensor([0.3333], dtype=torch.float64)
    """
    _check_width(width)
    checked_spacing(spacing)
    return _each(
        prediction, truth, lambda found, true: boundary_overlap(found, true, width, spacing)
    )


class SurfaceMetric(PerImageScore):
    """Base of the scores of outlines; ``compute()`` returns the mean over images."""

    plot_lower_bound = 0.0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(width=1, **kwargs)

    @abstractmethod
    def _score(self, prediction: Masks, truth: Masks) -> Tensor:
        """Return the score of each image, float64 (N,)."""

    def update(self, prediction: Masks, truth: Masks, ids: Sequence[str] | None = None) -> None:
        """Score the images of a batch.

        Args:
            prediction: Masks, as for :class:`lesionseg.metrics.Jaccard`.
            truth: Masks of the same sizes.
            ids: N names of the images. An image whose id was seen before is scored once.

        Raises:
            ValueError: If shapes, dtypes, values or the number of ids do not fit.
        """
        self._add(self._score(prediction, truth)[:, None], ids)


class HausdorffDistance(SurfaceMetric):
    """Mean over images of the Hausdorff distance, or a percentile of it.

    See :func:`hausdorff_distance` for the definition, also for empty masks.

    Args:
        percentile: From 0 to 100; 100 is the Hausdorff distance itself.
        spacing: Size of a pixel in millimeters, a number or (height, width); None measures in
            pixels.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import HausdorffDistance
        >>> truth = torch.zeros(2, 8, 8, dtype=torch.bool)
        >>> truth[0, 2:6, 2:6] = True
        >>> metric = HausdorffDistance()
        >>> metric.update(truth.roll(2, dims=2), truth, ids=["lesion", "none"])
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
        >>> metric.values()
        {'lesion': 2.0, 'none': 0.0}
    """

    higher_is_better = False

    def __init__(
        self, percentile: float = 95, spacing: Spacing | None = None, **kwargs: Any
    ) -> None:
        _check_percentile(percentile)
        checked_spacing(spacing)
        super().__init__(**kwargs)
        self.percentile, self.spacing = percentile, spacing

    def _score(self, prediction: Masks, truth: Masks) -> Tensor:
        return hausdorff_distance(prediction, truth, self.percentile, self.spacing)


class AverageSurfaceDistance(SurfaceMetric):
    """Mean over images of the average symmetric surface distance.

    See :func:`average_surface_distance` for the definition, also for empty masks.

    Args:
        spacing: Size of a pixel in millimeters, a number or (height, width); None measures in
            pixels.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If ``spacing`` is not positive.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import AverageSurfaceDistance
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> AverageSurfaceDistance(spacing=0.1)(truth.roll(1, dims=2), truth)
        tensor(0.0500, dtype=torch.float64)
    """

    higher_is_better = False

    def __init__(self, spacing: Spacing | None = None, **kwargs: Any) -> None:
        checked_spacing(spacing)
        super().__init__(**kwargs)
        self.spacing = spacing

    def _score(self, prediction: Masks, truth: Masks) -> Tensor:
        return average_surface_distance(prediction, truth, self.spacing)


class SurfaceDice(SurfaceMetric):
    """Mean over images of the surface Dice.

    See :func:`surface_dice` for the definition, also for empty masks.

    Args:
        tolerance: Distance in pixels, or in millimeters if ``spacing`` is given; at least 0.
        spacing: Size of a pixel in millimeters, a number or (height, width); None measures in
            pixels.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import SurfaceDice
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> SurfaceDice(tolerance=0.5)(truth.roll(1, dims=2), truth)
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True
    plot_upper_bound = 1.0

    def __init__(
        self, tolerance: float = 2.0, spacing: Spacing | None = None, **kwargs: Any
    ) -> None:
        check_tolerance(tolerance)
        checked_spacing(spacing)
        super().__init__(**kwargs)
        self.tolerance, self.spacing = tolerance, spacing

    def _score(self, prediction: Masks, truth: Masks) -> Tensor:
        return surface_dice(prediction, truth, self.tolerance, self.spacing)


class BoundaryIoU(SurfaceMetric):
    """Mean over images of the boundary IoU.

    See :func:`boundary_iou` for the definition, also for empty masks.

    Args:
        width: Width of the rim in pixels, or in millimeters if ``spacing`` is given; None takes
            2 % of the image's diagonal.
        spacing: Size of a pixel in millimeters, a number or (height, width); None measures in
            pixels.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import BoundaryIoU
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> BoundaryIoU(width=1)(truth.roll(1, dims=2), truth)
        tensor(0.3333, dtype=torch.float64)
    """

    higher_is_better = True
    plot_upper_bound = 1.0

    def __init__(
        self, width: float | None = None, spacing: Spacing | None = None, **kwargs: Any
    ) -> None:
        _check_width(width)
        checked_spacing(spacing)
        super().__init__(**kwargs)
        self.width, self.spacing = width, spacing

    def _score(self, prediction: Masks, truth: Masks) -> Tensor:
        return boundary_iou(prediction, truth, self.width, self.spacing)


def _each(prediction: Masks, truth: Masks, score: Callable[[Mask, Mask], float]) -> Tensor:
    """Apply a function to each pair of masks."""
    return torch.tensor(
        [score(found, true) for found, true in mask_pairs(prediction, truth)], dtype=torch.float64
    )


def mask_pairs(prediction: Masks, truth: Masks) -> list[tuple[Mask, Mask]]:
    """Return the pairs of a batch as bool arrays (height, width).

    Raises:
        ValueError: If shapes, dtypes or values do not fit.
    """
    found, true = masks_to_bool(prediction, "prediction"), masks_to_bool(truth, "truth")
    check_sizes(found, true, "prediction")
    return [(f.cpu().numpy(), t.cpu().numpy()) for f, t in zip(found, true, strict=True)]


def _check_percentile(percentile: float) -> None:
    if not 0 <= percentile <= 100:
        raise ValueError(f"expected percentile to be from 0 to 100, got {percentile!r}")


def _check_width(width: float | None) -> None:
    if width is not None and not 0 < width < math.inf:
        raise ValueError(f"expected width to be positive or None, got {width!r}")
