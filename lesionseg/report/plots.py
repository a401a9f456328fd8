"""Plots of the report as inline SVG, in the colors of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionseg.metrics.official import JACCARD_THRESHOLD
from lesionseg.scoring.comparison_plot import draw_table
from lesionseg.scoring.comparison_table import ComparisonTable

_TEXT = "#010203"  # replaced by the color of the page's text
COLORS = ("#a8683c", "#3b78b5", "#4f9a54", "#b0548f", "#8a8a2f", "#6f5fb8", "#c94f4f", "#3f9c9c")
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "lesionseg",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _TEXT
    ),
    "legend.frameon": False,
}

Curve = Sequence[tuple[float, float]]


def draw_curves(curves: Mapping[str, Curve]) -> list[Markup]:
    """Draw losses and scores of a fit by epoch, in two plots.

    Args:
        curves: Logged values by their names, as (epoch, value).
    """
    losses = {n: c for n, c in curves.items() if "loss" in n and not n.endswith("_step")}
    scores = {n: c for n, c in curves.items() if n.startswith("val/") and n not in losses}
    plots = []
    for title, kept in (("loss", losses), ("validation score", scores)):
        if kept:
            plots.append(draw_lines(kept, title, unit=title != "loss"))
    return plots


def draw_lines(curves: Mapping[str, Curve], title: str, unit: bool) -> Markup:
    """Draw curves by epoch.

    Args:
        curves: Values by their names, as (epoch, value).
        title: Label of the vertical axis.
        unit: Whether the values are in [0, 1]; otherwise positive values have a logarithmic axis.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        axes = figure.subplots()
        for (name, curve), color in zip(curves.items(), cycle(COLORS)):
            marker = "o" if len(curve) < 2 else None
            axes.plot(*zip(*curve, strict=True), color=color, label=name, marker=marker, lw=1.4)
        values = np.array([value for curve in curves.values() for _, value in curve])
        if unit:
            axes.set_ylim(0, 1)
        elif np.isfinite(values).any() and np.nanmin(values) > 0:
            axes.set_yscale("log")
        axes.set(xlabel="epoch", ylabel=title)
        axes.legend(fontsize=8)
        return _svg(figure, axes, f"{title} by epoch: {', '.join(curves)}")


def draw_distribution(scores: Mapping[str, npt.NDArray[np.float64]], name: str) -> Markup:
    """Draw the number of images in each twentieth of a score, for each model.

    Args:
        scores: Scores of all images by the names of models.
        name: Name of the score.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 2.8), layout="constrained")
        axes = figure.subplots()
        bins = [step / 20 for step in range(21)]
        several = len(scores) > 1
        for (label, values), color in zip(scores.items(), cycle(COLORS)):
            if several:
                axes.hist(values, bins, histtype="step", color=color, label=label, lw=1.5)
            else:
                axes.hist(values, bins, color=color, rwidth=0.9)
        axes.axvline(JACCARD_THRESHOLD, color=_TEXT, lw=0.8, ls="--")
        axes.set(xlabel=f"{name} of an image", ylabel="images", xlim=(0, 1))
        if several:
            axes.legend(fontsize=8, loc="upper left")
        return _svg(figure, axes, f"number of images by {name}, in twentieths")


def draw_reliability(bins: Sequence[Mapping[str, float]]) -> Markup:
    """Draw the share of lesion pixels by the predicted probability.

    Args:
        bins: Bins with ``pixels``, ``mean_probability`` and ``lesion_fraction``.
    """
    filled = [row for row in bins if row["pixels"] > 0]
    with rc_context(_STYLE):
        figure = Figure(figsize=(4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_TEXT, lw=0.8, ls="--")
        axes.plot(
            [row["mean_probability"] for row in filled],
            [row["lesion_fraction"] for row in filled],
            "o-",
            color=COLORS[0],
            lw=1.4,
            ms=4,
        )
        axes.set(xlabel="predicted probability", ylabel="share of lesion pixels")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        return _svg(figure, axes, "share of lesion pixels by predicted probability")


def draw_comparison(table: ComparisonTable) -> Markup:
    """Draw each model's mean difference from the first with its interval."""
    with rc_context(_STYLE):
        figure = draw_table(table, [f"run {number}" for number in range(1, len(table.names) + 1)])
        return _svg(figure, figure.axes[0], "mean differences from the first run with intervals")


def _svg(figure: Figure, axes: Axes, label: str) -> Markup:
    """Return a figure as an SVG element that inherits the color of the text."""
    axes.grid(color=_TEXT, alpha=0.15, lw=0.6)
    axes.set_axisbelow(True)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(_TEXT, "currentColor")
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # ids of other elements are hashes of their content
    accessible = Markup('<svg role="img" aria-label="{}"').format(label)
    return Markup(text.strip().replace("<svg", accessible, 1))
