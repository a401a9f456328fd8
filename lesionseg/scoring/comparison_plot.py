"""Plots of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from lesionseg.scoring.comparison import Comparison
from lesionseg.scoring.comparison_table import ComparisonTable
from lesionseg.visualization import save_figure

_A, _B, _GRAY = "#1f77b4", "#d95f02", "#555555"


def save_plot(comparison: Comparison | ComparisonTable, path: str | Path) -> None:
    """Save a plot of a comparison of two models (:func:`draw`) or of several (:func:`draw_table`).

    Args:
        comparison: Comparison to draw.
        path: File of a format that matplotlib writes, such as ``.png``, ``.svg`` or ``.pdf``; it is
            written atomically.

    Raises:
        LesionsegError: If matplotlib does not write this format.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from lesionseg.scoring import Comparison
        >>> from lesionseg.scoring.comparison_plot import save_plot
        >>> a, b = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.8, 0.5])
        >>> comparison = Comparison("jaccard", ("x", "y", "z"), a, b, (0.0, 0.2), 0.5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_plot(comparison, Path(folder, "difference.svg"))
        ...     [path.name for path in Path(folder).iterdir()]
        ['difference.svg']
    """
    figure = draw(comparison) if isinstance(comparison, Comparison) else draw_table(comparison)
    save_figure(figure, path)


def draw(comparison: Comparison) -> Figure:
    """Draw the difference of every image, sorted, as a matplotlib figure.

    Example:
        >>> import numpy as np
        >>> from lesionseg.scoring import Comparison
        >>> from lesionseg.scoring.comparison_plot import draw
        >>> a, b = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.8, 0.5])
        >>> figure = draw(Comparison("jaccard", ("x", "y", "z"), a, b, (0.0, 0.2), 0.5))
        >>> figure.axes[0].get_title()
        '3 images, p = 0.5 (signed-rank test)'
    """
    order = np.sort(comparison.differences)
    low, high = comparison.interval
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    images = np.arange(1, len(order) + 1)
    axes.vlines(images[order < 0], order[order < 0], 0, colors=_B, label="B is better")
    axes.vlines(images[order > 0], 0, order[order > 0], colors=_A, label="A is better")
    axes.axhline(0, color="black", linewidth=0.8)
    interval = f"mean {comparison.difference:+.4f} and {100 * comparison.confidence:g} % interval"
    axes.axhspan(low, high, color=_GRAY, alpha=0.3, linewidth=0)
    axes.axhline(comparison.difference, color=_GRAY, linestyle="--", label=interval)
    axes.set_xlabel("images, sorted by difference")
    axes.set_ylabel(f"{comparison.score}, A - B")
    axes.set_title(f"{len(comparison)} images, p = {comparison.p_value:.2g} (signed-rank test)")
    axes.legend(loc="upper left", frameon=False)
    return figure


def draw_table(table: ComparisonTable, names: Sequence[str] | None = None) -> Figure:
    """Draw each model's mean difference from the first with its interval.

    Args:
        table: Comparison of several models with the first.
        names: Labels of the models; None takes those of the table.
    """
    first_name, *others = table.names if names is None else names
    count = len(table.comparisons)
    figure = Figure(figsize=(7, 1.5 + 0.4 * count), layout="constrained")
    axes = figure.subplots()
    for row, comparison in enumerate(table.comparisons):
        axes.hlines(row, *comparison.interval, colors=_GRAY)
        axes.plot(comparison.difference, row, "o", color=_A)
    axes.axvline(0, color=rcParams["axes.edgecolor"], linewidth=0.8)
    axes.set_yticks(range(count), others)
    axes.set_ylim(count - 0.5, -0.5)
    first = table.comparisons[0]
    axes.set_xlabel(f"{first.score}, difference from {first_name}")
    axes.set_title(f"{len(first)} images, {100 * first.confidence:g} % intervals")
    return figure
