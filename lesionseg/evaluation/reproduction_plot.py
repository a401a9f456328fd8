"""A reproduced table as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lesionseg.evaluation.paper_table import PaperTable
from lesionseg.evaluation.reproduction_results import Section
from lesionseg.files import atomic_path


def plot_table(table: PaperTable, made: Sequence[Section], path: Path) -> None:
    """Draw, for each test, the rows' scores with intervals, and the quoted ones as crosses."""
    from matplotlib.figure import Figure  # slow to import

    tests = list(dict.fromkeys(section.name for section in made))
    names = [row.name for row in table.rows]
    figure = Figure(figsize=(5 * len(tests) + 2, 0.45 * len(names) + 1.8), layout="constrained")
    axes = figure.subplots(1, len(tests), squeeze=False, sharey=True)[0]
    for axis, test in zip(axes, tests, strict=True):
        group = [section for section in made if section.name == test]
        score, what = group[0].test.score, group[0].test.what
        for number, section in enumerate(group):
            shift = 0.16 * (number - (len(group) - 1) / 2)
            places = [names.index(one.row.name) + shift for one in section.results]
            means = [100 * one.table.summary()[score] for one in section.results]
            ends = [one.table.interval(score) for one in section.results]
            reach = [
                [mean - 100 * low for mean, (low, _) in zip(means, ends, strict=True)],
                [100 * high - mean for mean, (_, high) in zip(means, ends, strict=True)],
            ]
            label = f"{section.recipe} recipe, {section.variant}"
            axis.errorbar(means, places, xerr=reach, fmt="o", markersize=4, label=label)
        quoted = [
            (row.quoted[score], names.index(row.name)) for row in table.rows if score in row.quoted
        ]
        axis.plot(*zip(*quoted, strict=True), "x", color="black", label="quoted in the paper")
        axis.set(xlabel=f"{score}, per cent", yticks=range(len(names)), yticklabels=names)
        axis.set_title(f"{test}\n{what}", fontsize="small", wrap=True)
        axis.grid(axis="x", alpha=0.3)
        axis.legend(fontsize="x-small")
    axes[0].invert_yaxis()
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=120)
