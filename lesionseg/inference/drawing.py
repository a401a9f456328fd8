"""Pictures of segmentations: overlays, plots and what a notebook shows."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lesionseg.visualization import PREDICTION_COLOR, draw_outline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lesionseg.inference.segmentation import Segmentation

_LONGEST_SIDE = 512  # of a picture in a notebook, in pixels


def draw_overlay(
    result: Segmentation, color: tuple[int, int, int] | None = None, fill: float = 0.0
) -> Image.Image:
    """Draw the outline of a segmentation; see :meth:`Segmentation.overlay`."""
    if not 0 <= fill <= 1:
        raise ValueError(f"expected fill to be between 0 and 1, got {fill!r}")
    color = color or PREDICTION_COLOR
    picture = _background(result)
    if fill:
        picture = picture.copy()
        picture.paste(
            color, (0, 0), Image.fromarray(result.mask.astype(np.uint8) * int(255 * fill))
        )
    return draw_outline(picture, result.mask, color)


def _background(result: Segmentation) -> Image.Image:
    """Return the photograph, or else the probability in gray."""
    if result.image is not None:
        return result.image.convert("RGB")
    gray = (result.probability.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def plot_segmentation(result: Segmentation) -> Figure:
    """Plot a segmentation; see :meth:`Segmentation.plot`."""
    from matplotlib import pyplot  # slow to import

    height, width = result.mask.shape
    figure, grid = pyplot.subplots(
        1, 3, figsize=(13.5, 4 * min(max(height / width, 0.2), 3) + 0.6), layout="constrained"
    )
    grid[0].imshow(np.asarray(draw_overlay(result)))
    grid[0].set_title("Lesion")
    maps = (("Probability", result.probability), ("Uncertainty (bits)", result.uncertainty))
    for axes, (title, values) in zip(grid[1:], maps, strict=True):
        drawn = axes.imshow(values, vmin=0, vmax=1, cmap="gray" if title[0] == "P" else "magma")
        axes.set_title(title)
        figure.colorbar(drawn, ax=axes, shrink=0.8)
    for axes in grid:
        axes.axis("off")
    figure.suptitle(repr(result)[len("Segmentation(") : -1])
    return figure


def png_of(result: Segmentation) -> bytes:
    """Return the overlay, at most 512 pixels wide and high, as the bytes of a PNG."""
    return _encoded(result, "PNG")


def html_of(result: Segmentation) -> str:
    """Return the overlay and the most important measures as HTML, without outside resources."""
    picture = base64.b64encode(_encoded(result, "JPEG")).decode()
    title = html.escape(repr(result)[len("Segmentation(") : -1])
    rows = "".join(
        f"<tr><td style='text-align:left'>{html.escape(name)}</td>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in _facts(result)
    )
    return (
        "<div style='display:flex;gap:1em;align-items:flex-start;flex-wrap:wrap'>"
        f"<img alt='{title}' src='data:image/jpeg;base64,{picture}'><table>"
        f"<caption>{title}</caption>{rows}</table></div>"
    )


def _encoded(result: Segmentation, kind: str) -> bytes:
    picture = draw_overlay(result)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def _facts(result: Segmentation) -> list[tuple[str, str]]:
    """Return the measures that are shown beside the picture."""
    known = result.measures
    facts = [("Look again", ", ".join(result.review))] if result.review else []
    if known.major_axis is None or known.minor_axis is None:
        return facts
    facts += [
        ("Area", f"{known.area} pixels"),
        ("Axes", f"{known.major_axis:.0f} x {known.minor_axis:.0f} pixels"),
    ]
    if known.area_mm2 is not None:
        facts += [
            ("Area", f"{known.area_mm2:.1f} mm²"),
            ("Axes", f"{known.major_axis_mm:.1f} x {known.minor_axis_mm:.1f} mm"),
        ]
    shape = (
        ("Asymmetry (major, minor axis)", (known.asymmetry_major, known.asymmetry_minor)),
        ("Compactness", (known.compactness,)),
        ("Fractal dimension", (known.fractal_dimension,)),
        ("Color variegation (ΔE)", (known.color_variegation,)),
    )
    for name, values in shape:
        if None not in values:
            facts.append((name, ", ".join(f"{value:.2f}" for value in values)))
    return facts
