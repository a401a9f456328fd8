"""Percentile bootstrap interval of a mean (numpy only)."""

import numpy as np
import numpy.typing as npt


def bootstrap_interval(
    values: npt.NDArray[np.float64],
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a percentile bootstrap interval of the mean.

    The values are resampled with replacement ``resamples`` times; the interval lies between the
    percentiles of the means (Efron and Tibshirani, An Introduction to the Bootstrap, section 13.3).
    It depends on the order of the values.

    Args:
        values: float64 array (images,), not empty.
        confidence: Share of the resampled means inside the interval, between 0 and 1.
        resamples: Number of resamples, at least 1.
        seed: Seed of the random numbers.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics.bootstrap import bootstrap_interval
        >>> bootstrap_interval(np.array([0.2, 0.6, 0.7, 0.9]))
        (0.325, 0.825)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"expected confidence to be between 0 and 1, got {confidence}")
    if resamples < 1:
        raise ValueError(f"expected resamples to be at least 1, got {resamples}")
    generator = np.random.default_rng(seed)
    chunk = max(1, 1_000_000 // len(values))  # some megabytes of indices at a time
    means = np.concatenate(
        [
            values[generator.integers(len(values), size=(min(chunk, rest), len(values)))].mean(
                axis=1
            )
            for rest in range(resamples, 0, -chunk)
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
