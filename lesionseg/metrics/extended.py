"""All scores beyond overlap in one pass over masks and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lesionseg.metrics.calibration import reliability_sums
from lesionseg.metrics.extended_table import BINS, SURFACE_NAMES, ExtendedTable, checked_bins
from lesionseg.metrics.inputs import Masks
from lesionseg.metrics.rows import PerImageRows
from lesionseg.metrics.surface import Spacing, check_tolerance, checked_spacing, surface_row
from lesionseg.metrics.surface_scores import mask_pairs

_SURFACE = len(SURFACE_NAMES)


class ExtendedScore(PerImageRows):
    """Scores of outlines and, with probabilities, of calibration, from a single pass.

    ``compute()`` returns their means over images, :meth:`table` the values of each image and the
    reliability bins.

    Args:
        tolerance: Tolerance of the surface Dice, in pixels, or in millimeters if ``spacing`` is
            given.
        spacing: Size of a pixel in millimeters, a number or (height, width); None measures in
            pixels.
        bins: Number of bins of the calibration error.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import ExtendedScore
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> truth[:, 2:6, 2:6] = True
        >>> score = ExtendedScore(tolerance=0.5)
        >>> score.update(truth.roll(1, dims=2), truth, probability=truth * 0.5 + 0.25, ids=["a"])
        >>> {name: round(value.item(), 3) for name, value in score.compute().items()}
        {'hausdorff_95': 1.0, 'average_surface_distance': 0.5, 'surface_dice': 0.5,
        'boundary_iou': 0.333, 'brier_score': 0.062, 'calibration_error': 0.25}
    """

    def __init__(
        self,
        tolerance: float = 2.0,
        spacing: Spacing | None = None,
        bins: int = BINS,
        **kwargs: Any,
    ) -> None:
        check_tolerance(tolerance)
        checked_spacing(spacing)
        super().__init__(width=_SURFACE + 1 + 3 * checked_bins(bins), **kwargs)
        self.tolerance, self.spacing, self.bins = tolerance, spacing, bins

    def update(
        self,
        prediction: Masks,
        truth: Masks,
        probability: Masks | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Score the images of a batch.

        Args:
            prediction: Masks, as for :class:`lesionseg.metrics.Jaccard`.
            truth: Masks of the same sizes.
            probability: Floating maps in [0, 1] of the same sizes; None in all updates, or in none.
            ids: N names of the images. An image whose id was seen before is scored once.

        Raises:
            ValueError: If shapes, dtypes, values or the number of ids do not fit.
        """
        pairs = mask_pairs(prediction, truth)
        rows = np.zeros((len(pairs), self._width))
        for row, (found, true) in zip(rows, pairs, strict=True):
            row[:_SURFACE] = surface_row(found, true, self.tolerance, self.spacing)
        if probability is not None:
            sums, squares = reliability_sums(probability, truth, self.bins)
            rows[:, _SURFACE] = squares
            rows[:, _SURFACE + 1 :] = sums.reshape(len(rows), -1)
        self._add(torch.from_numpy(rows), ids)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean over images of each score, 0-d float64 tensors.

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        summary = self._table(*self._images()).summary()
        return {name: self._scalar(value) for name, value in summary.items()}

    def table(self) -> ExtendedTable:
        """Return the scores of each image; in distributed use every process must call it.

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        return self._table(*self._all_images())

    def _table(self, ids: list[str], rows: Any) -> ExtendedTable:
        rows = rows.astype(np.float64)
        bins = rows[:, _SURFACE + 1 :].reshape(len(rows), self.bins, 3)
        known = bins.any()  # no probabilities were given if no pixel is in a bin
        return ExtendedTable(
            ids,
            rows[:, :_SURFACE],
            bins if known else None,
            rows[:, _SURFACE] if known else None,
            self.tolerance,
            self.spacing,
        )
