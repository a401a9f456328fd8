"""A reproduced table as a plot."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionseg.experiments.paper_table import PaperTable
from lesionseg.visualization import save_figure


def plot_table(
    table: PaperTable, records: Sequence[Mapping[str, Any]], caption: str, path: Path
) -> None:
    """Draw the scores of the rows with intervals for each test, and the quoted scores as crosses.

    Args:
        table: Table of the paper.
        records: The ``results`` of ``table.json``.
        caption: Title of the plot.
        path: PNG to write.
    """
    from matplotlib.figure import Figure  # slow to import

    tests = list(dict.fromkeys(record["test"] for record in records))
    names = [row.name for row in table.rows]
    figure = Figure(figsize=(5 * len(tests) + 2, 0.45 * len(names) + 2.3), layout="constrained")
    figure.suptitle(caption, fontsize="medium")
    axes = figure.subplots(1, len(tests), squeeze=False, sharey=True)[0]
    for axis, test in zip(axes, tests, strict=True):
        score, what = table.tests[test].score, table.tests[test].what
        series: dict[str, list[Mapping[str, Any]]] = {}
        for record in records:
            if record["test"] == test:
                label = f"{record['recipe']} recipe, {record['training']}"
                series.setdefault(label, []).append(record)
        for number, (label, group) in enumerate(series.items()):
            shift = 0.16 * (number - (len(series) - 1) / 2)
            positions = [names.index(record["row"]) + shift for record in group]
            means = [100 * record[score] for record in group]
            errors = [
                [100 * (record[score] - record["interval_low"]) for record in group],
                [100 * (record["interval_high"] - record[score]) for record in group],
            ]
            axis.errorbar(means, positions, xerr=errors, fmt="o", markersize=4, label=label)
        quoted = [
            (row.quoted[score], names.index(row.name)) for row in table.rows if score in row.quoted
        ]
        axis.plot(*zip(*quoted, strict=True), "x", color="black", label="quoted in the paper")
        axis.set(xlabel=f"{score}, percent", yticks=range(len(names)), yticklabels=names)
        axis.set_title("\n".join([test, *textwrap.wrap(what, 60)]), fontsize="small")
        axis.grid(axis="x", alpha=0.3)
        axis.legend(fontsize="x-small")
    axes[0].invert_yaxis()
    save_figure(figure, path)
