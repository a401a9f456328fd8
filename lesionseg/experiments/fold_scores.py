"""Scores of a cross-validation: of each fold, over folds and over images."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from lesionseg.errors import InvalidDataError
from lesionseg.files import atomic_path
from lesionseg.metrics.official import JACCARD_THRESHOLD, SCORE_NAMES
from lesionseg.metrics.table import ScoreTable
from lesionseg.visualization import save_figure


@dataclass(frozen=True)
class FoldScores:
    """The scores of each fold's held-out images.

    Attributes:
        tables: Score table of each fold, in order; no image is in two folds.

    Raises:
        InvalidDataError: If there is no fold, or an image is in two folds.

    Example:
        >>> import numpy as np
        >>> from lesionseg.experiments.fold_scores import FoldScores
        >>> from lesionseg.metrics.table import ScoreTable
        >>> counts = np.array([[8, 1, 1, 90], [6, 2, 2, 90]])  # tp, fp, fn, tn
        >>> scores = FoldScores([ScoreTable(["a"], counts[:1]), ScoreTable(["b"], counts[1:])])
        >>> [round(fold["jaccard"], 2) for fold in scores.folds]
        [0.8, 0.6]
        >>> print(f"{scores.mean('jaccard'):.2f} +- {scores.std('jaccard'):.2f}")
        0.70 +- 0.14
    """

    tables: Sequence[ScoreTable]

    def __post_init__(self) -> None:
        if not self.tables:
            raise InvalidDataError("there is no fold to score.")
        _ = self.images

    @classmethod
    def read(cls, folders: Sequence[Path]) -> FoldScores:
        """Read ``scores.csv`` of each fold's folder."""
        return cls([ScoreTable.from_csv(folder / "scores.csv") for folder in folders])

    @cached_property
    def images(self) -> ScoreTable:
        """All held-out images in one table, each predicted by the model not trained on it."""
        ids = [name for table in self.tables for name in table.ids]
        return ScoreTable(ids, np.concatenate([table.counts for table in self.tables]))

    @cached_property
    def folds(self) -> list[dict[str, float]]:
        """The official scores of each fold: means over its images."""
        return [table.summary() for table in self.tables]

    def mean(self, name: str) -> float:
        """Return the mean of a score over folds."""
        return mean(fold[name] for fold in self.folds)

    def std(self, name: str) -> float:
        """Return the sample standard deviation of a score over folds (n - 1 in the divisor)."""
        return stdev(fold[name] for fold in self.folds) if len(self.folds) > 1 else math.nan

    def summary(self) -> dict[str, Any]:
        """Return all numbers as plain lists and dicts."""
        images = self.images
        return {
            "num_folds": len(self.tables),
            "images": len(images),
            "folds": [
                {"fold": number, "images": len(table), **scores}
                for number, (table, scores) in enumerate(zip(self.tables, self.folds, strict=True))
            ],
            "over_folds": {
                name: {"mean": self.mean(name), "std": self.std(name)} for name in SCORE_NAMES
            },
            "over_images": {
                name: {
                    "mean": value,
                    "std": images.std()[name],
                    "interval": list(images.interval(name)),
                }
                for name, value in images.summary().items()
            },
            "pooled": images.summary("pooled"),
        }

    def rows(self) -> list[list[str]]:
        """Return header and lines of the table: each fold, over folds, over images."""
        lines = [["", "images", *SCORE_NAMES]]
        for number, (table, scores) in enumerate(zip(self.tables, self.folds, strict=True)):
            cells = [f"{scores[name]:.4f}" for name in SCORE_NAMES]
            lines.append([f"fold {number}", str(len(table)), *cells])
        images = self.images
        over_images = images.summary()
        lines += [
            ["mean over folds", "", *(f"{self.mean(name):.4f}" for name in SCORE_NAMES)],
            ["std over folds", "", *(f"{self.std(name):.4f}" for name in SCORE_NAMES)],
            [
                "mean over images",
                str(len(images)),
                *(f"{over_images[name]:.4f}" for name in SCORE_NAMES),
            ],
            ["std over images", "", *(f"{images.std()[name]:.4f}" for name in SCORE_NAMES)],
        ]
        return lines

    def render(self) -> str:
        """Return a plain-text table of at most 80 columns, a line for each score."""
        count = len(self.tables)
        lines = [
            f"{len(self.images)} images, each held out once in {count} folds",
            "",
            f"{'score':<18}{'over folds':>18}{'over images':>18}{'95% interval':>20}",
        ]
        over_images = self.images.summary()
        deviation = self.images.std()
        for name in SCORE_NAMES:
            low, high = self.images.interval(name)
            folds = f"{self.mean(name):.4f} +- {self.std(name):.4f}"
            images = f"{over_images[name]:.4f} +- {deviation[name]:.4f}"
            interval = f"{low:.4f} - {high:.4f}"
            lines.append(f"{name:<18}{folds:>18}{images:>18}{interval:>20}")
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write ``scores.csv`` (per image), ``folds.csv``, ``.json``, ``.md`` and ``.png``."""
        self.images.to_csv(folder / "scores.csv")
        rows = self.rows()
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        for suffix, content in (
            ("csv", text.getvalue()),
            ("json", json.dumps(self.summary(), indent=2) + "\n"),
            ("md", markdown(rows) + "\n"),
        ):
            with atomic_path(folder / f"folds.{suffix}") as unfinished:
                unfinished.write_text(content, encoding="utf-8", newline="")
        self.plot(folder / "folds.png")

    def plot(self, path: Path) -> None:
        """Draw the per-image Jaccard of each fold as a box, and the means of the folds."""
        from matplotlib.figure import Figure  # slow to import

        figure = Figure(figsize=(1.2 * len(self.tables) + 2.5, 4), layout="constrained")
        axes = figure.subplots()
        positions = range(len(self.tables))
        axes.boxplot(
            [table.scores["jaccard"] for table in self.tables],
            positions=list(positions),
            flierprops={"markersize": 2},
        )
        means = [fold["jaccard"] for fold in self.folds]
        axes.plot(positions, means, "o", color="tab:red", label="mean of the fold")
        axes.axhline(self.mean("jaccard"), color="tab:red", linewidth=1, label="mean over folds")
        axes.axhline(
            JACCARD_THRESHOLD,
            color="gray",
            linestyle=":",
            linewidth=1,
            label="the official threshold",
        )
        axes.set(xlabel="held-out fold", ylabel="Jaccard of an image", ylim=(-0.02, 1.02))
        axes.legend(loc="lower left", fontsize="small")
        save_figure(figure, path)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    Args:
        rows: Header and lines.
    """
    header, *lines = rows
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
