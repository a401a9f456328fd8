"""The per-image table of scores beyond overlap (numpy only)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lesionseg.errors import InvalidDataError
from lesionseg.files import atomic_path
from lesionseg.metrics.bootstrap import bootstrap_interval

Sums: TypeAlias = npt.NDArray[np.float64]

SURFACE_NAMES = ("hausdorff_95", "average_surface_distance", "surface_dice", "boundary_iou")
"""Scores of outlines, named as in ``extended.csv``."""
PROBABILITY_NAMES = ("brier_score", "calibration_error")
"""Scores of probabilities, named as in ``extended.csv``."""
BINS = 15
"""Number of bins of a reliability diagram."""


def calibration_errors(sums: Sums) -> npt.NDArray[np.float64]:
    """Return the expected calibration error of each row of sums (N, bins, 3), float64 (N,)."""
    gaps: npt.NDArray[np.float64] = np.abs(sums[:, :, 1] - sums[:, :, 2]).sum(axis=1)
    errors: npt.NDArray[np.float64] = gaps / sums[:, :, 0].sum(axis=1)
    return errors


def checked_bins(bins: int) -> int:
    """Return a number of bins.

    Raises:
        ValueError: If it is not a positive integer.
    """
    if type(bins) is not int or bins < 1:
        raise ValueError(f"expected bins to be a positive integer, got {bins!r}")
    return bins


@dataclass(frozen=True, eq=False)
class ExtendedTable:
    """Scores beyond overlap of every image; see ``docs/score.md`` for their definitions.

    Attributes:
        ids: Ids of the images.
        surface: float64 array (images, 4) in the order of :data:`SURFACE_NAMES`.
        bins: float64 array (images, bins, 3): number of pixels, sum of their probabilities and
            number of lesion pixels in bins of equal width; None without probabilities.
        squares: float64 array (images,) of the sums of the squared errors of the probabilities;
            None without probabilities.
        tolerance: Tolerance of the surface Dice.
        spacing: Size of a pixel in millimeters; None measures in pixels.

    Raises:
        InvalidDataError: If there is no image, or the arrays do not fit the ids.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import ExtendedTable
        >>> table = ExtendedTable(["a", "b"], np.array([[2, 1, 0.9, 0.8], [4, 2, 0.5, 0.6]]))
        >>> table.summary()["hausdorff_95"]
        3.0
        >>> print(table.render())
        2 images, beyond overlap: mean over images, distances in pixels
        <BLANKLINE>
        score                         mean      std        95% interval
        hausdorff_95                3.0000   1.0000     2.0000 - 4.0000
        ...
    """

    ids: Sequence[str]
    surface: npt.NDArray[np.float64]
    bins: Sums | None = None
    squares: npt.NDArray[np.float64] | None = None
    tolerance: float = 2.0
    spacing: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(self.ids))
        parts = [self.surface] if self.bins is None else [self.surface, self.bins, self.squares]
        lengths = {0 if part is None else len(part) for part in parts}
        if not self.ids or lengths != {len(self.ids)}:
            raise InvalidDataError(
                f"The table of extended scores has {len(self.ids)} ids for {sorted(lengths)} "
                "images; score at least one, and pass one id each."
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """For each score a float64 array (images,), in the order of ``ids``."""
        scores = dict(zip(SURFACE_NAMES, self.surface.T, strict=True))
        if self.bins is not None and self.squares is not None:
            scores["brier_score"] = self.squares / self.bins[:, :, 0].sum(axis=1)
            scores["calibration_error"] = calibration_errors(self.bins)
        return scores

    def summary(self) -> dict[str, float]:
        """Return the mean over images of each score."""
        return {name: float(values.mean()) for name, values in self.scores.items()}

    def pooled(self) -> dict[str, float]:
        """Return the scores of the probabilities of all pixels together, if there are any."""
        if self.bins is None or self.squares is None:
            return {}
        return {
            "brier_score": float(self.squares.sum() / self.bins[:, :, 0].sum()),
            "calibration_error": float(calibration_errors(self.bins.sum(axis=0)[None])[0]),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain values for a JSON file."""
        return {
            "unit": "pixel" if self.spacing is None else "millimeter",
            "spacing": self.spacing,
            "tolerance": self.tolerance,
            "mean": self.summary(),
            "std": {name: float(values.std()) for name, values in self.scores.items()},
            "interval": {name: list(self._interval(name)) for name in self.scores},
            "pooled": self.pooled(),
        }

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row per image: its id as ``image``, and each score."""
        scores = self.scores
        columns = [values.tolist() for values in scores.values()]
        _write(path, ("image", *scores), zip(self.ids, *columns, strict=True))

    def reliability_to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the reliability bins of all pixels together.

        The columns are ``bin_low``, ``bin_high``, ``pixels``, ``mean_probability`` and
        ``lesion_fraction``; the last two are blank for a bin without pixels.

        Raises:
            InvalidDataError: If there are no probabilities.
        """
        if self.bins is None:
            raise InvalidDataError("Masks have no reliability; score probabilities.")
        _write(path, RELIABILITY_COLUMNS, reliability_rows(self.bins.sum(axis=0)))

    def render(self) -> str:
        """Return a plain-text table of at most 80 columns, without a newline at its end."""
        number = f"{len(self)} image" + ("s" if len(self) > 1 else "")
        unit = "pixels" if self.spacing is None else "millimeters"
        pooled = self.pooled()
        lines = [f"{number}, beyond overlap: mean over images, distances in {unit}", ""]
        head = f"{'score':<25}{'mean':>9}{'std':>9}{'95% interval':>20}"
        lines += [head + (f"{'pooled':>10}" if pooled else "")]
        for name, values in self.scores.items():
            low, high = self._interval(name)
            interval = f"{low:.4f} - {high:.4f}"
            last = f"{pooled[name]:>10.4f}" if name in pooled else ""
            lines.append(f"{name:<25}{values.mean():>9.4f}{values.std():>9.4f}{interval:>20}{last}")
        return "\n".join([*lines, f"tolerance of surface_dice: {self.tolerance:g} {unit}"])

    def _interval(self, name: str) -> tuple[float, float]:
        return bootstrap_interval(np.sort(self.scores[name]))


RELIABILITY_COLUMNS = ("bin_low", "bin_high", "pixels", "mean_probability", "lesion_fraction")
"""Columns of ``reliability.csv``."""


def reliability_rows(sums: Sums) -> list[tuple[Any, ...]]:
    """Return the rows of ``reliability.csv`` from the sums of bins, (bins, 3)."""
    edges = np.linspace(0, 1, len(sums) + 1).tolist()
    return [
        (low, high, int(pixels), total / pixels, lesion / pixels)
        if pixels
        else (low, high, 0, "", "")
        for low, high, (pixels, total, lesion) in zip(
            edges[:-1], edges[1:], sums.tolist(), strict=True
        )
    ]


def _write(path: str | os.PathLike[str], columns: Sequence[str], rows: Any) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
