"""Procedural dermoscopy: random pictures of lesions with exact masks."""

import numpy as np
import numpy.typing as npt

from lesionseg.data.drawing.artifacts import draw_bubbles, draw_hairs, draw_ink, draw_ruler
from lesionseg.data.drawing.canvas import Canvas
from lesionseg.data.drawing.lesion import (
    absorb,
    draw_pigment,
    draw_shape,
    draw_skin,
    draw_structures,
)
from lesionseg.data.drawing.scope import draw_aperture, light, photograph

__all__ = ["draw_dermoscopy"]


def draw_dermoscopy(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Draw a dermoscopy picture.

    Args:
        rng: Source of all random numbers.
        size: Height and width in pixels.

    Returns:
        RGB picture, uint8 (H, W, 3), and the lesion's mask, bool (H, W), 3 to 80 % of the picture.

    Example:
        >>> picture, mask = draw_dermoscopy(np.random.default_rng(0), (48, 64))
        >>> picture.shape, mask.shape, mask.dtype
        ((48, 64, 3), (48, 64), dtype('bool'))
    """
    canvas = Canvas(rng, size)
    aperture = draw_aperture(canvas)
    shape = draw_shape(canvas, aperture)
    contrast = canvas.uniform(0.16, 0.4) if canvas.chance(0.1) else canvas.uniform(0.6, 1.35)
    pigment, body = draw_pigment(canvas, shape, contrast)
    picture = absorb(draw_skin(canvas), pigment)
    picture = draw_structures(canvas, picture, shape, body)
    for draw in (draw_ink, draw_hairs, draw_bubbles, draw_ruler):
        picture = draw(canvas, picture)
    return photograph(canvas, light(canvas, picture, aperture)), shape.mask
