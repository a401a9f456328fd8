"""Distances between the outlines of two masks (numpy and scipy, without torch).

The outline of a mask is its lesion pixels that have a pixel without lesion, or the edge of the
image, above, below, left or right of them. Distances are between centers of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Spacing = float | tuple[float, float]
"""Height and width of a pixel in millimeters; a single number for square pixels."""

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]
SurfaceRow = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between the outlines of two masks, from which all scores of outlines follow.

    Attributes:
        to_truth: Distance of each pixel of the prediction's outline to the truth's outline;
            without values if a mask is empty.
        to_prediction: The reverse.
        diagonal: Length of the image's diagonal.
        empty: Number of empty masks, 0 to 2.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics.surface import surface_distances
        >>> truth = np.zeros((8, 8), bool)
        >>> truth[2:6, 2:6] = True
        >>> distances = surface_distances(np.roll(truth, 1, axis=1), truth)
        >>> distances.hausdorff(100), distances.average(), distances.dice(0.5)
        (1.0, 0.5, 0.5)
    """

    to_truth: Distances
    to_prediction: Distances
    diagonal: float
    empty: int

    def hausdorff(self, percentile: float = 95) -> float:
        """Return the larger of the two percentiles of the distances."""
        if self.empty:
            return self._undefined()
        both = (self.to_truth, self.to_prediction)
        return float(max(np.percentile(distances, percentile) for distances in both))

    def average(self) -> float:
        """Return the mean of all distances in both directions."""
        if self.empty:
            return self._undefined()
        return float(np.concatenate((self.to_truth, self.to_prediction)).mean())

    def dice(self, tolerance: float) -> float:
        """Return the share of both outlines that is at most ``tolerance`` from the other."""
        if self.empty:
            return float(self.empty == 2)
        limit = tolerance * (1 + 1e-9)  # 6 x 0.05 mm is not above 0.3 mm
        near = sum(
            int(np.count_nonzero(distances <= limit))
            for distances in (self.to_truth, self.to_prediction)
        )
        return near / (len(self.to_truth) + len(self.to_prediction))

    def _undefined(self) -> float:
        return 0.0 if self.empty == 2 else self.diagonal


def surface_distances(
    prediction: Mask, truth: Mask, spacing: Spacing | None = None
) -> SurfaceDistances:
    """Measure the distances between the outlines of two masks.

    Args:
        prediction: Bool mask (height, width).
        truth: Bool mask of the same shape.
        spacing: Height and width of a pixel in millimeters; None measures in pixels.
    """
    from scipy.spatial import KDTree  # importing it takes a while

    rows, columns = checked_spacing(spacing)
    diagonal = math.hypot(prediction.shape[0] * rows, prediction.shape[1] * columns)
    empty = int(not prediction.any()) + int(not truth.any())
    if empty:
        return SurfaceDistances(np.zeros(0), np.zeros(0), diagonal, empty)
    found, true = (np.argwhere(outline(mask)) * (rows, columns) for mask in (prediction, truth))
    # Outlines are few pixels: searching them takes less time than a distance transform.
    to_truth, to_prediction = KDTree(true).query(found)[0], KDTree(found).query(true)[0]
    return SurfaceDistances(to_truth, to_prediction, diagonal, empty)


def outline(mask: Mask) -> Mask:
    """Return the outline of a mask, a bool mask of the same shape.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics.surface import outline
        >>> outline(np.ones((3, 4), bool)).astype(int)
        array([[1, 1, 1, 1],
               [1, 0, 0, 1],
               [1, 1, 1, 1]])
    """
    padded = np.pad(mask, 1)
    vertical = padded[:-2, 1:-1] & padded[2:, 1:-1]
    return mask & ~(vertical & padded[1:-1, :-2] & padded[1:-1, 2:])


def boundary_overlap(
    prediction: Mask, truth: Mask, width: float | None = None, spacing: Spacing | None = None
) -> float:
    """Return the boundary IoU of two masks; see :func:`lesionseg.metrics.boundary_iou`."""
    rows, columns = checked_spacing(spacing)
    if width is None:
        width = 0.02 * math.hypot(prediction.shape[0] * rows, prediction.shape[1] * columns)
    reach = max(1, round(width / rows)), max(1, round(width / columns))
    if not (prediction.any() or truth.any()):
        return 1.0
    found, true = _rim(prediction, reach), _rim(truth, reach)
    return float(np.count_nonzero(found & true) / np.count_nonzero(found | true))


def surface_row(
    prediction: Mask, truth: Mask, tolerance: float, spacing: Spacing | None = None
) -> SurfaceRow:
    """Return the scores of :data:`~lesionseg.metrics.extended_table.SURFACE_NAMES`."""
    distances = surface_distances(prediction, truth, spacing)
    if distances.empty:
        return row_of_empty(distances.empty, distances.diagonal)
    return (
        distances.hausdorff(),
        distances.average(),
        distances.dice(tolerance),
        boundary_overlap(prediction, truth, None, spacing),
    )


def row_of_empty(empty: int, diagonal: float) -> SurfaceRow:
    """Return the scores where one or both masks are empty."""
    return (0.0, 0.0, 1.0, 1.0) if empty == 2 else (diagonal, diagonal, 0.0, 0.0)


def _rim(mask: Mask, reach: tuple[int, int]) -> Mask:
    """Return the lesion pixels that have a pixel without lesion at most ``reach`` away."""
    from scipy.ndimage import minimum_filter

    size = [2 * pixels + 1 for pixels in reach]
    inner = minimum_filter(mask.astype(np.uint8), size, mode="constant", cval=0)
    rim: Mask = mask & (inner == 0)
    return rim


_SPACING = "spacing to be the size of a pixel in millimeters, a positive number or (height, width)"


def checked_spacing(spacing: Any, expected: str = _SPACING) -> tuple[float, float]:
    """Return height and width of a pixel; 1 and 1 for None.

    Args:
        spacing: A number, or (height, width).
        expected: What is expected, for the message.

    Raises:
        ValueError: If it is not one or two positive numbers.
    """
    if spacing is None:
        return 1.0, 1.0
    try:
        pair = np.broadcast_to(np.asarray(spacing, np.float64), 2)
    except (TypeError, ValueError):
        pair = np.zeros(2)
    if not (np.isfinite(pair).all() and (pair > 0).all()):
        raise ValueError(f"expected {expected}, got {spacing!r}")
    return float(pair[0]), float(pair[1])


def check_tolerance(tolerance: float) -> None:
    """Raise ValueError unless the tolerance of a surface Dice is at least 0."""
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"expected tolerance to be at least 0, got {tolerance!r}")
