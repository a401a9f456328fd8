"""A reproduced table as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionseg.experiments.paper_table import PaperTable
from lesionseg.files import atomic_path


def plot_table(
    table: PaperTable, records: Sequence[Mapping[str, Any]], caption: str, path: Path
) -> None:
    """Draw, for each test, the rows' scores with intervals, and the quoted ones as crosses.

    Args:
        table: The paper's.
        records: The ``results`` of ``table.json``.
        caption: What stands above the plot.
        path: The PNG to write.
    """
    from matplotlib.figure import Figure  # slow to import

    tests = list(dict.fromkeys(one["test"] for one in records))
    names = [row.name for row in table.rows]
    figure = Figure(figsize=(5 * len(tests) + 2, 0.45 * len(names) + 2.3), layout="constrained")
    figure.suptitle(caption, fontsize="medium")
    axes = figure.subplots(1, len(tests), squeeze=False, sharey=True)[0]
    for axis, test in zip(axes, tests, strict=True):
        score, what = table.tests[test].score, table.tests[test].what
        series: dict[str, list[Mapping[str, Any]]] = {}
        for one in records:
            if one["test"] == test:
                label = f"{one['recipe']} recipe, {one['training']}"
                series.setdefault(label, []).append(one)
        for number, (label, group) in enumerate(series.items()):
            shift = 0.16 * (number - (len(series) - 1) / 2)
            places = [names.index(one["row"]) + shift for one in group]
            means = [100 * one[score] for one in group]
            reach = [
                [100 * (one[score] - one["interval_low"]) for one in group],
                [100 * (one["interval_high"] - one[score]) for one in group],
            ]
            axis.errorbar(means, places, xerr=reach, fmt="o", markersize=4, label=label)
        quoted = [
            (row.quoted[score], names.index(row.name)) for row in table.rows if score in row.quoted
        ]
        axis.plot(*zip(*quoted, strict=True), "x", color="black", label="quoted in the paper")
        axis.set(xlabel=f"{score}, per cent", yticks=range(len(names)), yticklabels=names)
        axis.set_title("\n".join([test, *textwrap.wrap(what, 60)]), fontsize="small")
        axis.grid(axis="x", alpha=0.3)
        axis.legend(fontsize="x-small")
    axes[0].invert_yaxis()
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=120)
