"""Comparison of two models on the same images with a paired test."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lesionseg.errors import InvalidDataError, shorten
from lesionseg.metrics.bootstrap import bootstrap_interval
from lesionseg.metrics.official import SCORE_NAMES
from lesionseg.metrics.table import ScoreTable

_WIDTH = 80


@dataclass(frozen=True, eq=False)
class Comparison:
    """A score of two models, A and B, on the same images; see :func:`compare_tables`.

    Attributes:
        score: One of :data:`lesionseg.metrics.SCORE_NAMES`.
        ids: The images on which both were scored, sorted.
        a: float64 array (images,) of A's scores in [0, 1], in the order of ``ids``.
        b: The same of B.
        interval: Percentile bootstrap interval of :attr:`difference`.
        p_value: p-value of Wilcoxon's signed-rank test, two-sided.
        confidence: Share of the resampled differences inside the interval.
        left_out: Number of images on which only A or only B was scored.

    Example:
        >>> import numpy as np
        >>> from lesionseg.scoring import Comparison
        >>> a, b = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.8, 0.5])
        >>> comparison = Comparison("jaccard", ("x", "y", "z"), a, b, (0.0, 0.2), 0.5)
        >>> print(f"{comparison.difference:.1f}")
        0.1
        >>> comparison.better, comparison.equal, comparison.worse
        (2, 1, 0)
    """

    score: str
    ids: tuple[str, ...]
    a: npt.NDArray[np.float64]
    b: npt.NDArray[np.float64]
    interval: tuple[float, float]
    p_value: float
    confidence: float = 0.95
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def differences(self) -> npt.NDArray[np.float64]:
        """A - B of each image, float64 (images,) in [-1, 1]."""
        return self.a - self.b

    @property
    def mean_a(self) -> float:
        """Mean of A over the images, the official score."""
        return float(self.a.mean())

    @property
    def mean_b(self) -> float:
        """Mean of B over the images."""
        return float(self.b.mean())

    @property
    def difference(self) -> float:
        """Mean of A - B over the images."""
        return float(self.differences.mean())

    @property
    def better(self) -> int:
        """Number of images on which A is better."""
        return int(np.count_nonzero(self.differences > 0))

    @property
    def equal(self) -> int:
        """Number of images on which both score the same."""
        return int(np.count_nonzero(self.differences == 0))

    @property
    def worse(self) -> int:
        """Number of images on which B is better."""
        return int(np.count_nonzero(self.differences < 0))

    @property
    def verdict(self) -> str:
        """The conclusion as a sentence; it mentions a disagreement of the test and the interval."""
        if self.equal == len(self):
            return f"A and B score the same on each of the {len(self)} images."
        low, high = self.interval
        percent = f"{100 * self.confidence:g} %"
        surprising = self.p_value < 1 - self.confidence
        if low <= 0 <= high:
            doubt = (
                ", although the signed-rank test finds that most images favor the same model"
                if surprising
                else ""
            )
            return (
                f"The {percent} interval of A - B includes 0: the mean over these "
                f"{len(self)} images does not separate A and B{doubt}."
            )
        name, side = ("A", "above") if low > 0 else ("B", "below")
        doubt = "" if surprising else ", but the signed-rank test does not confirm it"
        return (
            f"{name} is better on these {len(self)} images: the {percent} interval of A - B "
            f"lies {side} 0{doubt}."
        )

    def to_json(self, names: tuple[str, str] = ("A", "B")) -> str:
        """Return all results but those of single images as JSON.

        Args:
            names: Names of A and B, such as the paths of their tables.
        """
        content = {
            "score": self.score,
            "images": len(self),
            "left_out": self.left_out,
            "a": {"name": names[0], "mean": self.mean_a},
            "b": {"name": names[1], "mean": self.mean_b},
            "difference": self.difference,
            "confidence": self.confidence,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "better": self.better,
            "equal": self.equal,
            "worse": self.worse,
            "verdict": self.verdict,
        }
        return json.dumps(content, indent=2)

    def render(self, names: tuple[str, str] = ("A", "B")) -> str:
        """Return a plain-text table of at most 80 columns, without a newline at its end.

        Args:
            names: Names of A and B; a long name is shortened to its end.
        """
        left_out = f" ({self.left_out} left out)" if self.left_out else ""
        low, high = self.interval
        interval = f"{low:+.4f} to {high:+.4f}"
        heading = f"{100 * self.confidence:g}% interval of A - B"
        lines = [f"{self.score} of {len(self)} images{left_out}", ""]
        lines += [f"{letter}  {_end(name)}" for letter, name in zip("AB", names, strict=True)]
        lines += ["", f"{'mean A':>8}{'mean B':>9}{'A - B':>10}{heading:>28}"]
        lines += [f"{self.mean_a:>8.4f}{self.mean_b:>9.4f}{self.difference:>+10.4f}{interval:>28}"]
        lines += [""]
        for label, number in (
            ("A is better", self.better),
            ("equal", self.equal),
            ("B is better", self.worse),
        ):
            lines.append(f"{label:<12}{number:>6} images{number / len(self):>8.1%}")
        lines += [f"Wilcoxon's signed-rank test: p = {self.p_value:.2g}", ""]
        return "\n".join(lines + textwrap.wrap(self.verdict, _WIDTH))


def compare_tables(
    a: ScoreTable,
    b: ScoreTable,
    score: str = "jaccard",
    *,
    common: bool = False,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare two models that were scored on the same images.

    The images are paired by id. The interval is the percentile bootstrap of the mean difference:
    images are resampled with replacement, each with both of its scores, so that the difficulty of
    an image cancels. It does not depend on the order of the images, and swapping A and B changes
    only its sign. It covers the choice of the *images*; training the same model again is another
    source of variation, which a single run of each does not show.

    The p-value is that of Wilcoxon's signed-rank test (F. Wilcoxon, Individual Comparisons by
    Ranking Methods, 1945) of ``scipy.stats.wilcoxon``, two-sided; images of equal score are left
    out, and it is 1 where all are equal.

    Args:
        a: Scores of A.
        b: Scores of B.
        score: One of :data:`lesionseg.metrics.SCORE_NAMES`.
        common: Whether to compare only the images that both have; otherwise both must have the
            same.
        confidence: Share of the resampled differences inside the interval, between 0 and 1.
        resamples: Number of resamples, at least 1.
        seed: Seed of the random numbers.

    Raises:
        ValueError: If an argument is outside its range.
        InvalidDataError: If the images differ, fewer than two are shared, or an image was scored
            against different truths.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import ScoreTable
        >>> from lesionseg.scoring import compare_tables
        >>> def table(*found):  # of lesions of 100 pixels in images of 1000
        ...     counts = [[tp, 0, 100 - tp, 900] for tp in found]
        ...     return ScoreTable(["a", "b", "c", "d"], np.array(counts))
        >>> comparison = compare_tables(table(90, 80, 70, 95), table(80, 75, 60, 95))
        >>> print(f"{comparison.difference:+.4f}, p = {comparison.p_value:.2f}")
        +0.0625, p = 0.25
        >>> comparison.verdict
        'A is better on these 4 images: the 95 % interval of A - B lies above 0, but ...'
    """
    if score not in SCORE_NAMES:
        raise ValueError(f"expected score to be one of {', '.join(SCORE_NAMES)}, got {score!r}")
    rows_a = {name: row for row, name in enumerate(a.ids)}
    rows_b = {name: row for row, name in enumerate(b.ids)}
    ids = sorted(rows_a.keys() & rows_b.keys())
    unpaired = {
        "A": sorted(rows_a.keys() - rows_b.keys()),
        "B": sorted(rows_b.keys() - rows_a.keys()),
    }
    if any(unpaired.values()) and not common:
        raise InvalidDataError(_differ(unpaired, len(ids)))
    if len(ids) < 2:
        raise InvalidDataError(
            f"A and B share {len(ids)} image{'' if len(ids) == 1 else 's'}; a comparison needs at "
            "least 2, so score both on the same images."
        )
    at_a, at_b = [rows_a[name] for name in ids], [rows_b[name] for name in ids]
    _check_truth(ids, a.counts[at_a], b.counts[at_b])
    scores_a, scores_b = a.scores[score][at_a], b.scores[score][at_b]
    differences = scores_a - scores_b
    return Comparison(
        score=score,
        ids=tuple(ids),
        a=scores_a,
        b=scores_b,
        interval=bootstrap_interval(differences, confidence, resamples, seed),
        p_value=signed_rank_test(differences),
        confidence=confidence,
        left_out=sum(map(len, unpaired.values())),
    )


def signed_rank_test(differences: npt.NDArray[np.float64]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test.

    Args:
        differences: float64 array (images,); zeros are left out, as in Wilcoxon's paper.

    Returns:
        The p-value in [0, 1]; 1 if all differences are 0.

    Example:
        >>> import numpy as np
        >>> from lesionseg.scoring.comparison import signed_rank_test
        >>> signed_rank_test(np.array([0.1, 0.2, -0.05, 0.3, 0.0]))
        0.25
    """
    from scipy.stats import wilcoxon  # importing it takes a second

    unequal = differences[differences != 0]
    return float(wilcoxon(unequal).pvalue) if len(unequal) else 1.0


def _check_truth(ids: Sequence[str], a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> None:
    """Raise InvalidDataError if the lesion's or the other pixels of an image differ in number."""
    lesion_a, lesion_b = a[:, 0] + a[:, 2], b[:, 0] + b[:, 2]
    other = (lesion_a != lesion_b) | (a.sum(axis=1) != b.sum(axis=1))
    if other.any():
        names = [name for name, differs in zip(ids, other, strict=True) if differs]
        raise InvalidDataError(
            f"A and B were scored against different masks of {len(names)} of {len(ids)} images "
            f"({shorten(names)}); score both against the same masks at the same size."
        )


def _differ(unpaired: dict[str, list[str]], shared: int) -> str:
    parts = []
    for letter, names in unpaired.items():
        verb = "s are" if len(names) > 1 else " is"
        if names:
            parts.append(f"{len(names)} image{verb} only in {letter} ({shorten(names)})")
    return (
        f"{' and '.join(parts)}; score both on the same images, or compare the {shared} that they "
        "share with --common."
    )


def _end(name: str) -> str:
    room = _WIDTH - 3
    return name if len(name) <= room else "..." + name[3 - room :]
