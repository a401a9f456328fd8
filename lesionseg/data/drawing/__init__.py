"""Procedural dermoscopy: a picture of a lesion and its exact mask, out of random numbers."""

import numpy as np
import numpy.typing as npt

from lesionseg.data.drawing.artefacts import draw_bubbles, draw_hairs, draw_ink, draw_ruler
from lesionseg.data.drawing.canvas import Canvas
from lesionseg.data.drawing.lesion import absorb, draw_pigment, draw_shape, draw_structures
from lesionseg.data.drawing.scope import draw_aperture, light, photograph
from lesionseg.data.drawing.skin import draw_skin

__all__ = ["draw_dermoscopy"]


def draw_dermoscopy(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Draw one dermoscopy picture.

    Args:
        rng: the only source of chance.
        size: height and width in pixels.

    Returns:
        uint8 RGB (H, W, 3), and the lesion's mask, bool (H, W), 3 to 80 % of the picture.
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
