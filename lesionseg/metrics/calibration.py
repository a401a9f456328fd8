"""Scores of probabilities: calibration error and Brier score, per image and pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lesionseg.metrics.extended_table import Sums, calibration_errors, checked_bins
from lesionseg.metrics.inputs import Masks, check_sizes, masks_to_bool
from lesionseg.metrics.official import Aggregation, check_aggregation
from lesionseg.metrics.rows import PerImageScore


def calibration_error(probability: Masks, truth: Masks, bins: int = 15) -> Tensor:
    r"""Compute the expected calibration error of the pixels of each image.

    The pixels are sorted by their probability into bins of equal width; the error is
    $\sum_b \frac{n_b}{n} |f_b - p_b|$, with $n_b$ of $n$ pixels in bin $b$, of which the share
    $f_b$ is lesion, and their mean probability $p_b$. Most pixels of most images are clearly skin,
    so that errors are small.

    Source: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015, for
    the probability of one class, as in torchmetrics' ``BinaryCalibrationError``. A probability of
    exactly 1 is in the last bin.

    Args:
        probability: Tensor (N, 1, H, W) or (N, H, W), or a sequence of N tensors (1, H, W) or
            (H, W) of differing sizes, floating point in [0, 1].
        truth: Masks of the same sizes, as for :class:`lesionseg.metrics.Jaccard`.
        bins: Number of bins.

    Returns:
        float64 (N,) in [0, 1].

    Raises:
        ValueError: If ``bins`` is less than 1, or the maps do not fit.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import calibration_error
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[1, 0, 0, 0]]])
        >>> calibration_error(torch.full((2, 1, 4), 0.5), truth)
        tensor([0.0000, 0.2500], dtype=torch.float64)
    """
    sums, _ = reliability_sums(probability, truth, bins)
    return torch.from_numpy(calibration_errors(sums))


def brier_score(probability: Masks, truth: Masks) -> Tensor:
    """Compute the Brier score of each image: the mean squared error of the probabilities.

    Source: Brier, Verification of Forecasts Expressed in Terms of Probability, 1950, for a single
    class, as in scikit-learn's ``brier_score_loss``.

    Args:
        probability: Maps, as for :func:`calibration_error`.
        truth: Masks of the same sizes, as for :class:`lesionseg.metrics.Jaccard`.

    Returns:
        float64 (N,) in [0, 1].

    Raises:
        ValueError: If the maps do not fit.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import brier_score
        >>> brier_score(torch.tensor([[[0.8, 0.1]]]), torch.tensor([[[1, 0]]]))
        tensor([0.0250], dtype=torch.float64)
    """
    squares = [
        ((maps.double() - true.double()) ** 2).mean() for maps, true in _pairs(probability, truth)
    ]
    return torch.stack(squares) if squares else torch.zeros(0, dtype=torch.float64)


class CalibrationError(PerImageScore):
    """Expected calibration error: mean over images, or of the pixels of all images together.

    See :func:`calibration_error` for the definition.

    Args:
        bins: Number of bins of equal width.
        aggregation: ``"image"`` for the mean over images, ``"pooled"`` for all pixels together.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import CalibrationError
        >>> probability = torch.full((2, 1, 4), 0.5)
        >>> truth = torch.tensor([[[1, 1, 1, 0]], [[1, 0, 0, 0]]])
        >>> CalibrationError()(probability, truth)
        tensor(0.2500, dtype=torch.float64)
        >>> CalibrationError(aggregation="pooled")(probability, truth)
        tensor(0., dtype=torch.float64)
    """

    higher_is_better = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(self, bins: int = 15, aggregation: Aggregation = "image", **kwargs: Any) -> None:
        checked_bins(bins)
        check_aggregation(aggregation)
        super().__init__(width=3 * bins, **kwargs)
        self.bins = bins
        self.aggregation: Aggregation = aggregation

    def update(self, probability: Masks, truth: Masks, ids: Sequence[str] | None = None) -> None:
        """Sort the pixels of a batch into bins.

        Args:
            probability: Maps, as for :func:`calibration_error`.
            truth: Masks of the same sizes.
            ids: N names of the images. An image whose id was seen before counts once.

        Raises:
            ValueError: If shapes, dtypes, values or the number of ids do not fit.
        """
        sums, _ = reliability_sums(probability, truth, self.bins)
        self._add(torch.from_numpy(sums.reshape(len(sums), 3 * self.bins)), ids)

    def _scores(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        sums = rows.reshape(len(rows), self.bins, 3).astype(np.float64)
        return calibration_errors(sums)

    def compute(self) -> Tensor:
        """Return the error of all images so far, a 0-d float64 tensor in [0, 1].

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        if self.aggregation == "image":
            return super().compute()
        pooled = self._images()[1].sum(axis=0, keepdims=True, dtype=np.float64)
        return self._scalar(float(self._scores(pooled)[0]))


class BrierScore(PerImageScore):
    """Brier score: mean over images, or of the pixels of all images together.

    See :func:`brier_score` for the definition.

    Args:
        aggregation: ``"image"`` for the mean over images, ``"pooled"`` for all pixels together.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If ``aggregation`` is neither.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import BrierScore
        >>> probability = torch.tensor([[[0.8, 0.1]], [[0.5, 0.5]]])
        >>> truth = torch.tensor([[[1, 0]], [[1, 0]]])
        >>> print(f"{BrierScore()(probability, truth):.4f}")
        0.1375
    """

    higher_is_better = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(self, aggregation: Aggregation = "image", **kwargs: Any) -> None:
        check_aggregation(aggregation)
        super().__init__(width=2, **kwargs)
        self.aggregation: Aggregation = aggregation

    def update(self, probability: Masks, truth: Masks, ids: Sequence[str] | None = None) -> None:
        """Score the images of a batch.

        Args:
            probability: Maps, as for :func:`calibration_error`.
            truth: Masks of the same sizes.
            ids: N names of the images. An image whose id was seen before counts once.

        Raises:
            ValueError: If shapes, dtypes, values or the number of ids do not fit.
        """
        scores = brier_score(probability, truth).cpu()
        pixels = torch.tensor([maps.numel() for maps in probability], dtype=torch.float64)
        self._add(torch.stack([scores, pixels], dim=1), ids)

    def compute(self) -> Tensor:
        """Return the score of all images so far, a 0-d float64 tensor in [0, 1].

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        if self.aggregation == "image":
            return super().compute()
        scores, pixels = self._images()[1].astype(np.float64).T
        return self._scalar(float(np.average(scores, weights=pixels)))


def reliability_sums(probability: Masks, truth: Masks, bins: int) -> tuple[Sums, Sums]:
    """Sort the pixels of each image into bins of equal width by their probability.

    Args:
        probability: Maps, as for :func:`calibration_error`.
        truth: Masks of the same sizes.
        bins: Number of bins, at least 1.

    Returns:
        float64 array (N, bins, 3): number of pixels, sum of their probabilities, number of lesion
        pixels; and float64 (N,), the sums of the squared errors.

    Raises:
        ValueError: If ``bins`` is less than 1, or the maps do not fit.
    """
    checked_bins(bins)
    pairs = _pairs(probability, truth)
    sums, squares = np.zeros((len(pairs), bins, 3)), np.zeros(len(pairs))
    for index, (maps, true) in enumerate(pairs):
        flat, lesion = maps.flatten(), true.flatten().double()
        edges = torch.linspace(0, 1, bins + 1, dtype=flat.dtype, device=flat.device)
        where = (torch.bucketize(flat, edges, right=True) - 1).clamp(max=bins - 1)
        flat = flat.double()
        for column, weights in enumerate((None, flat, lesion)):
            sums[index, :, column] = torch.bincount(where, weights, bins).cpu().numpy()
        squares[index] = float(((flat - lesion) ** 2).sum())
    return sums, squares


def _pairs(probability: Masks, truth: Masks) -> list[tuple[Tensor, Tensor]]:
    """Return the pairs of a batch: floating maps (H, W) and bool masks (H, W), on one device."""
    masks_to_bool(probability, "probability")  # checks shapes and values
    true = masks_to_bool(truth, "truth")
    check_sizes(probability, true, "probability")
    pairs = []
    for maps, mask in zip(probability, true, strict=True):
        if not maps.is_floating_point():
            raise ValueError(
                f"expected probability to be floating point in [0, 1], got {maps.dtype}"
            )
        maps = maps.detach().reshape(maps.shape[-2:])
        if maps.device.type == "mps":  # has no float64
            maps = maps.cpu()
        if maps.dtype in (torch.float16, torch.bfloat16):
            maps = maps.float()
        pairs.append((maps, mask.to(maps.device)))
    return pairs
