"""The runs of a reproduced table and their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lesionseg.experiments.fold_scores import FoldScores
from lesionseg.experiments.jobs import Job
from lesionseg.experiments.paper_table import PaperTable, TableRow, TableTest, slug
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.comparison import Comparison, compare_tables


class Cell(NamedTuple):
    """A model of the table: a row trained by a recipe on a training set, and its jobs."""

    row: TableRow
    recipe: str
    variant: str
    jobs: list[Job]


@dataclass(frozen=True)
class Result:
    """The scores of a trained row on a test.

    Attributes:
        row: Row of the table.
        table: Per-image scores, of all folds together in a cross-validation.
        folds: Scores by fold; None where there are no folds.
        comparison: Comparison of the reference row with this row on the same images; None for the
            reference, and as long as it has no scores.
    """

    row: TableRow
    table: ScoreTable
    folds: FoldScores | None
    comparison: Comparison | None

    def score(self, name: str) -> float:
        """Return the official score in percent: mean over folds, or over images without folds."""
        return 100 * (self.folds.mean(name) if self.folds else self.table.summary()[name])

    def pooled(self, name: str) -> float:
        """Return the score of all pixels together, in percent."""
        return 100 * self.table.summary("pooled")[name]


@dataclass(frozen=True)
class Section:
    """All results of a recipe, training set and test, in the order of the rows."""

    recipe: str
    variant: str
    name: str
    test: TableTest
    results: list[Result]

    @property
    def title(self) -> str:
        """Names of the recipe, training set and test."""
        return f"recipe {self.recipe}, {self.variant}, {self.name}"


def sections(table: PaperTable, cells: Sequence[Cell]) -> Iterator[Section]:
    """Yield the results that exist; a cross-validation counts once all its folds are done.

    Args:
        table: Table of the paper.
        cells: Trained models.
    """
    for recipe, variant in dict.fromkeys((cell.recipe, cell.variant) for cell in cells):
        group = [cell for cell in cells if (cell.recipe, cell.variant) == (recipe, variant)]
        for name, test in table.tests.items():
            read = [(cell.row, *scores) for cell in group if (scores := _read(cell, name))]
            tables = {row.name: images for row, images, _ in read}
            reference = tables.pop(table.reference, None)
            results = [
                Result(
                    row,
                    images,
                    folds,
                    compare_tables(reference, images, score=test.score)
                    if reference is not None and row.name in tables
                    else None,
                )
                for row, images, folds in read
            ]
            if results:
                yield Section(recipe, variant, name, test, results)


def _read(cell: Cell, test: str) -> tuple[ScoreTable, FoldScores | None] | None:
    folded = any("." in job.tests for job in cell.jobs)
    folders = [job.folder if folded else job.folder / slug(test) for job in cell.jobs]
    if not all((folder / "scores.csv").is_file() for folder in folders):
        return None
    if not folded:
        return ScoreTable.from_csv(folders[0] / "scores.csv"), None
    folds = FoldScores.read(folders)
    return folds.images, folds
