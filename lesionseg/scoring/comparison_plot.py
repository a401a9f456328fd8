"""The picture of a comparison: every image's difference, sorted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lesionseg.errors import LesionsegError
from lesionseg.files import MARK, atomic_path
from lesionseg.scoring.comparison import Comparison
from lesionseg.scoring.comparison_table import ComparisonTable

_A, _B, _GRAY = "#1f77b4", "#d95f02", "#555555"


def save_plot(comparison: Comparison | ComparisonTable, path: str | Path) -> None:
    """Draw a comparison of two models (:func:`draw`) or of several (:func:`draw_table`).

    Args:
        comparison: What is drawn.
        path: A file of a kind that matplotlib writes, such as ``.png``, ``.svg`` or ``.pdf``; it
            appears whole or not at all.

    Raises:
        LesionsegError: matplotlib does not write files of this kind.
    """
    path = Path(path)
    figure = draw(comparison) if isinstance(comparison, Comparison) else draw_table(comparison)
    kinds = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in kinds:
        raise LesionsegError(
            f"a plot cannot be written to {path}; give a file that ends in .png, .svg or .pdf."
        )
    # Other kinds have no room for a mark: a second plot of that name needs --overwrite.
    about = {"png": "Software", "svg": "Creator", "pdf": "Creator", "ps": "Creator"}.get(kind)
    with atomic_path(path) as unfinished:
        metadata = {about: MARK} if about else None
        figure.savefig(unfinished, format=kind, dpi=150, metadata=metadata)


def draw(comparison: Comparison) -> Figure:
    """The figure itself, to be changed or shown; without pyplot's global state."""
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


def draw_table(table: ComparisonTable) -> Figure:
    """Draw each model's mean difference from the first with its interval, one line each."""
    count = len(table.comparisons)
    figure = Figure(figsize=(7, 1.5 + 0.4 * count), layout="constrained")
    axes = figure.subplots()
    for place, one in enumerate(table.comparisons):
        axes.hlines(place, *one.interval, colors=_GRAY)
        axes.plot(one.difference, place, "o", color=_A)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(count), table.names[1:])
    axes.set_ylim(count - 0.5, -0.5)
    one = table.comparisons[0]
    axes.set_xlabel(f"{one.score}, difference from {table.names[0]}")
    axes.set_title(f"{len(one)} images, {100 * one.confidence:g} % intervals")
    return figure
