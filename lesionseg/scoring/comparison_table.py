"""Comparison of several models with the first on the same images."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lesionseg.errors import InvalidDataError, shorten
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.comparison import Comparison, compare_tables

_WIDTH = 80
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


@dataclass(frozen=True, eq=False)
class ComparisonTable:
    """A score of several models on the same images; see :func:`compare_with_first`.

    Attributes:
        names: Names of the models; the others are compared with the first.
        first: The first model's mean score over the images.
        comparisons: Comparisons of each other model (A) with the first (B), in order.

    Example:
        >>> import numpy as np
        >>> from lesionseg.scoring import Comparison, ComparisonTable
        >>> a, b = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.8, 0.5])
        >>> comparison = Comparison("jaccard", ("x", "y", "z"), a, b, (0.0, 0.2), 0.5)
        >>> print(ComparisonTable(("unet", "asnet"), 0.7, (comparison,)).to_csv())
        run,jaccard,difference,95% low,95% high,p,p (Holm),better,equal,worse
        unet,0.7000,,,,,,,,
        asnet,0.8000,+0.1000,+0.0000,+0.2000,0.5,0.5,2,1,0
    """

    names: tuple[str, ...]
    first: float
    comparisons: tuple[Comparison, ...]

    @property
    def adjusted(self) -> list[float]:
        """The p-values adjusted for their number by Holm's step-down method.

        S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
        """
        return holm([comparison.p_value for comparison in self.comparisons])

    def rows(self) -> list[list[str]]:
        """Return a header and a row for each model, in the order of the names."""
        percent = f"{100 * self.comparisons[0].confidence:g}%"
        header = [
            "run",
            self.comparisons[0].score,
            "difference",
            f"{percent} low",
            f"{percent} high",
        ]
        lines = [[*header, "p", "p (Holm)", "better", "equal", "worse"]]
        lines.append([self.names[0], f"{self.first:.4f}", *[""] * 8])
        for name, found, p in zip(self.names[1:], self.comparisons, self.adjusted, strict=True):
            values = (found.difference, *found.interval)
            numbers = [f"{found.mean_a:.4f}", *(f"{value:+.4f}" for value in values)]
            tests = [f"{found.p_value:.2g}", f"{p:.2g}"]
            images = map(str, (found.better, found.equal, found.worse))
            lines.append([name, *numbers, *tests, *images])
        return lines

    def to_csv(self) -> str:
        """Return the rows as CSV, without a newline at its end."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(self.rows())
        return text.getvalue().rstrip("\n")

    def to_markdown(self) -> str:
        """Return the rows as a Markdown table."""
        header, *lines = [[cell.replace("|", "\\|") for cell in row] for row in self.rows()]
        rule = ["---", *("---:" for _ in header[1:])]
        return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *lines))

    def to_latex(self) -> str:
        """Return the rows as a LaTeX ``tabular`` that needs no package."""
        header, *lines = [[latex(cell) for cell in row] for row in self.rows()]
        body = [f"{' & '.join(row)} \\\\" for row in (header, *lines)]
        columns = "l" + "r" * (len(header) - 1)
        body = [body[0], r"\hline", *body[1:]]
        return "\n".join([f"\\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"])

    def to_json(self) -> str:
        """Return all numbers as JSON."""
        first = self.comparisons[0]
        runs: list[dict[str, object]] = [{"name": self.names[0], "mean": self.first}]
        for name, found, p in zip(self.names[1:], self.comparisons, self.adjusted, strict=True):
            runs.append(
                {
                    "name": name,
                    "mean": found.mean_a,
                    "difference": found.difference,
                    "interval": list(found.interval),
                    "p_value": found.p_value,
                    "p_value_holm": p,
                    "better": found.better,
                    "equal": found.equal,
                    "worse": found.worse,
                }
            )
        content = {"score": first.score, "images": len(first), "confidence": first.confidence}
        return json.dumps(content | {"runs": runs}, indent=2)

    def render(self) -> str:
        """Return a plain-text table of at most 80 columns, without a newline at its end."""
        first = self.comparisons[0]
        lines = [f"{first.score} of {len(first)} images, each run's difference from the first", ""]
        width = len(str(len(self.names)))
        for number, name in enumerate(self.names, 1):
            room = _WIDTH - width - 2
            short = name if len(name) <= room else "..." + name[3 - room :]
            lines.append(f"{number:>{width}}  {short}")
        interval = f"{100 * first.confidence:g}% interval"
        head = f"{'mean':>8}{'difference':>12}{interval:>20}{'p':>9}{'p (Holm)':>10}"
        lines += ["", " " * width + head + f"{'+ / = / -':>16}"]
        lines.append(f"{1:>{width}}{self.first:>8.4f}")
        for number, (found, p) in enumerate(zip(self.comparisons, self.adjusted, strict=True), 2):
            low, high = (f"{value:+.4f}" for value in found.interval)
            counts = f"{found.better}/{found.equal}/{found.worse}"
            lines.append(
                f"{number:>{width}}{found.mean_a:>8.4f}{found.difference:>+12.4f}"
                f"{f'{low} to {high}':>20}{found.p_value:>9.2g}{p:>10.2g}{counts:>16}"
            )
        lines += [
            "",
            "p: Wilcoxon's signed-rank test. + / = / -: images on which the run is better",
        ]
        return "\n".join([*lines, "than the first, equal to it and worse."])


def compare_with_first(
    names: Sequence[str],
    tables: Sequence[ScoreTable],
    score: str = "jaccard",
    *,
    common: bool = False,
    seed: int = 0,
) -> ComparisonTable:
    """Compare every model but the first with the first, on the same images.

    Args:
        names: Names of the models.
        tables: Their scores, at least two.
        score: See :func:`~lesionseg.scoring.comparison.compare_tables`.
        common: Whether to compare only the images that all have; otherwise all must have the same.
        seed: Seed of the intervals.

    Raises:
        InvalidDataError: If the images differ, fewer than two are shared, or an image was scored
            against different truths.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import ScoreTable
        >>> from lesionseg.scoring import compare_with_first
        >>> def table(*found):  # of lesions of 100 pixels in images of 1000
        ...     counts = [[tp, 0, 100 - tp, 900] for tp in found]
        ...     return ScoreTable(["a", "b", "c", "d"], np.array(counts))
        >>> tables = [table(80, 75, 60, 95), table(90, 80, 70, 95), table(50, 60, 40, 90)]
        >>> print(compare_with_first(["unet", "asnet", "fcn8s"], tables).to_csv())
        run,jaccard,difference,95% low,95% high,p,p (Holm),better,equal,worse
        unet,0.7750,,,,,,,,
        asnet,0.8375,+0.0625,+0.0250,+0.1000,0.25,0.25,3,1,0
        fcn8s,0.6000,-0.1750,-0.2625,-0.0875,0.12,0.25,0,0,4
    """
    shared = set(tables[0].ids).intersection(*(table.ids for table in tables[1:]))
    if common:
        tables = [_only(table, shared, name) for table, name in zip(tables, names, strict=True)]
    comparisons = []
    for name, table in zip(names[1:], tables[1:], strict=True):
        try:
            comparisons.append(compare_tables(table, tables[0], score, seed=seed))
        except InvalidDataError as error:
            raise InvalidDataError(f"A is {name} and B is {names[0]}: {error}") from error
    return ComparisonTable(tuple(names), tables[0].summary()[score], tuple(comparisons))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's step-down method, in the same order, at most 1.

    Example:
        >>> from lesionseg.scoring.comparison_table import holm
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def latex(text: str) -> str:
    r"""Return a text with LaTeX's special characters escaped.

    Example:
        >>> from lesionseg.scoring.comparison_table import latex
        >>> print(latex("95% of a_b"))
        95\% of a\_b
    """
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _LATEX.get(found[0], "\\" + found[0]), text)


def _only(table: ScoreTable, ids: set[str], name: str) -> ScoreTable:
    rows = [row for row, id_ in enumerate(table.ids) if id_ in ids]
    if len(rows) < 2:
        raise InvalidDataError(
            f"the runs share {len(rows)} image{'' if len(rows) == 1 else 's'} (those of {name} are "
            f"{shorten(list(table.ids))}); a comparison needs at least 2."
        )
    return ScoreTable([table.ids[row] for row in rows], table.counts[rows])
