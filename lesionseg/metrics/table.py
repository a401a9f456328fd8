"""The per-image table behind a score: means, intervals, the worst images (numpy only)."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError, shorten
from lesionseg.files import atomic_path
from lesionseg.metrics.bootstrap import bootstrap_interval
from lesionseg.metrics.official import (
    SCORE_NAMES,
    Aggregation,
    Counts,
    Scores,
    check_aggregation,
    checked_counts,
    pooled_scores,
    scores_from_counts,
)

_COUNT_NAMES = ("tp", "fp", "fn", "tn")
_ID_NAME = "image"


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Confusion counts of every image, and the scores that follow from them.

    Attributes:
        ids: The images' ids, without repetition.
        counts: int64 array (images, 4): true positives, false positives, false negatives and true
            negatives of each image, in pixels.

    Raises:
        InvalidDataError: If there is no image, an id is repeated, or ids and counts do not match.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import ScoreTable
        >>> counts = np.array([[6, 2, 2, 90], [0, 0, 0, 100], [8, 0, 1, 91]])
        >>> table = ScoreTable(["ISIC_0000001", "ISIC_0000002", "ISIC_0000003"], counts)
        >>> print(f"{table.summary()['jaccard']:.3f} {table.summary('pooled')['jaccard']:.3f}")
        0.830 0.737
        >>> table.worst(2)
        ['ISIC_0000001', 'ISIC_0000003']
        >>> print(table.render())
        3 images, official score: mean over images
        <BLANKLINE>
        score                 mean      std        95% interval
        accuracy            0.9833   0.0170     0.9600 - 1.0000
        ...
    """

    ids: Sequence[str]
    counts: Counts

    def __post_init__(self) -> None:
        ids = tuple(self.ids)
        try:
            counts = checked_counts(self.counts)
        except ValueError as error:
            raise InvalidDataError(f"The score table has invalid counts: {error}.") from error
        if len(ids) != len(counts):
            raise InvalidDataError(
                f"The score table has {len(ids)} ids for {len(counts)} images; pass one id each."
            )
        if not ids:
            raise InvalidDataError("The score table has no image; score at least one.")
        repeated = sorted(name for name, number in Counter(ids).items() if number > 1)
        if repeated:
            raise InvalidDataError(
                f"The score table holds {shorten(repeated)} more than once; score every image once."
            )
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "counts", counts)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def scores(self) -> Scores:
        """For each official score name a float64 array (images,), in the order of ``ids``."""
        return scores_from_counts(self.counts)

    def summary(self, aggregation: Aggregation = "image") -> dict[str, float]:
        """Return the six scores under their official names.

        Args:
            aggregation: ``"image"`` for the official mean over images, ``"pooled"`` for one score
                of all pixels together.
        """
        check_aggregation(aggregation)
        if aggregation == "pooled":
            return pooled_scores(self.counts)
        return {name: float(values.mean()) for name, values in self.scores.items()}

    def std(self) -> dict[str, float]:
        """Return each score's standard deviation over the images, with N in the denominator."""
        return {name: float(values.std()) for name, values in self.scores.items()}

    def interval(
        self, name: str, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
    ) -> tuple[float, float]:
        """Return a bootstrap interval of a score's mean over images.

        The images are resampled with replacement ``resamples`` times; the interval lies between the
        percentiles of the means. It does not depend on the order of the images.

        Args:
            name: One of :data:`~lesionseg.metrics.official.SCORE_NAMES`.
            confidence: Share of the resampled means inside the interval, between 0 and 1.
            resamples: Number of resamples, at least 1.
            seed: Seed of the random numbers.

        Returns:
            Lower and upper end.

        Raises:
            ValueError: If an argument is outside its range.
        """
        if name not in SCORE_NAMES:
            raise ValueError(f"expected name to be one of {', '.join(SCORE_NAMES)}, got {name!r}")
        return bootstrap_interval(np.sort(self.scores[name]), confidence, resamples, seed)

    def worst(self, n: int) -> list[str]:
        """Return the ids of the ``n`` images of lowest Jaccard, the worst first."""
        return self._ranked()[: _checked_number(n)]

    def best(self, n: int) -> list[str]:
        """Return the ids of the ``n`` images of highest Jaccard, the best first."""
        return self._ranked()[::-1][: _checked_number(n)]

    def median(self, n: int) -> list[str]:
        """Return the ids of the ``n`` images in the middle of the Jaccard ranking, worse first."""
        n = min(_checked_number(n), len(self))
        start = (len(self) - n) // 2
        return self._ranked()[start : start + n]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row per image: id, the four counts, the six scores.

        The file is written atomically; missing parent folders are created.

        Raises:
            LesionsegError: If the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([_ID_NAME, *_COUNT_NAMES, *SCORE_NAMES])
        columns = [self.scores[name].tolist() for name in SCORE_NAMES]
        for name, row, *scores in zip(self.ids, self.counts.tolist(), *columns, strict=True):
            writer.writerow([name, *row, *scores])
        try:
            with atomic_path(Path(path)) as temporary:
                temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        except OSError as error:
            raise LesionsegError(
                f"The score table cannot be written to {path} ({error.strerror or error}); "
                "give a file in a writable folder."
            ) from error

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> "ScoreTable":
        """Read a file of :meth:`to_csv`; the scores are recomputed from the counts.

        Raises:
            DatasetNotFoundError: If there is no such file.
            InvalidDataError: If the file is not a score table.
        """
        path = Path(path)
        try:
            with path.open(
                newline="", encoding="utf-8-sig"
            ) as stream:  # Excel adds a byte order mark
                rows = list(csv.DictReader(stream))
            ids = [row[_ID_NAME] for row in rows]
            counts = [[int(row[name]) for name in _COUNT_NAMES] for row in rows]
        except FileNotFoundError as error:
            raise DatasetNotFoundError(f"There is no score table at {path}.") from error
        except OSError as error:
            raise InvalidDataError(f"The score table {path} cannot be read: {error}.") from error
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise InvalidDataError(
                f"{path} is not a score table: it needs the columns "
                f"{', '.join((_ID_NAME, *_COUNT_NAMES))}, with whole numbers in the last four."
            ) from error
        try:
            return cls(ids, np.array(counts, dtype=np.int64).reshape(-1, 4))
        except InvalidDataError as error:
            raise InvalidDataError(f"{path}: {error}") from error

    def to_json(self, aggregation: Aggregation = "image") -> str:
        """Return the summary as JSON.

        It has the official scorer's keys (``overall``, ``validation``, ``macro_average``; the
        first two are the thresholded Jaccard), then ``aggregation`` (which determines the first
        two), ``images`` (their number), ``pooled``, ``std`` and ``interval`` (95 %, of the mean
        over images).
        """
        overall = self.summary(aggregation)["threshold_jaccard"]
        content: dict[str, Any] = {
            "overall": overall,
            "validation": overall,
            "macro_average": self.summary("image"),
            "aggregation": aggregation,
            "images": len(self),
            "pooled": self.summary("pooled"),
            "std": self.std(),
            "interval": {name: list(self.interval(name)) for name in SCORE_NAMES},
        }
        return json.dumps(content, indent=2)

    def render(self, aggregation: Aggregation = "image") -> str:
        """Return a plain-text table of at most 80 columns, without a newline at its end.

        Args:
            aggregation: ``"image"`` for mean, standard deviation and 95 % bootstrap interval over
                the images; ``"pooled"`` for the score of all pixels together.
        """
        summary = self.summary(aggregation)
        images = f"{len(self)} image" + ("s" if len(self) > 1 else "")
        if aggregation == "pooled":
            lines = [f"{images}, all pixels pooled (not the official score)", ""]
            lines += [f"{'score':<18}{'pooled':>8}"]
            return "\n".join(lines + [f"{name:<18}{summary[name]:>8.4f}" for name in SCORE_NAMES])
        std = self.std()
        lines = [f"{images}, official score: mean over images", ""]
        lines += [f"{'score':<18}{'mean':>8}{'std':>9}{'95% interval':>20}"]
        for name in SCORE_NAMES:
            low, high = self.interval(name)
            lines.append(
                f"{name:<18}{summary[name]:>8.4f}{std[name]:>9.4f}{f'{low:.4f} - {high:.4f}':>20}"
            )
        return "\n".join(lines)

    def _ranked(self) -> list[str]:
        """Return all ids by ascending Jaccard, then by id, so that the order is deterministic."""
        jaccard: npt.NDArray[np.float64] = self.scores["jaccard"]
        return [name for _, name in sorted(zip(jaccard.tolist(), self.ids, strict=True))]


def _checked_number(n: int) -> int:
    if n < 0:
        raise ValueError(f"expected n to be at least 0, got {n}")
    return n
