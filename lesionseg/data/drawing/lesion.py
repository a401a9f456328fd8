"""The skin, the lesion's shape, and the pigment in it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lesionseg.data.drawing.canvas import BLOOD, MELANIN, Array, Canvas, blend, smoothstep


def draw_skin(canvas: Canvas) -> Array:
    """Draw bare skin: its tone, blotches, furrows, small vessels and freckles.

    Args:
        canvas: Coordinates and random numbers.

    Returns:
        Picture (3, H, W), about [0, 1].
    """
    rng = canvas.rng
    tone = 0.03 + 0.34 * float(rng.beta(1.1, 3.0))
    if canvas.chance(0.06):
        tone = canvas.uniform(0.4, 0.9)
    flush = 0.02 + 0.26 * float(rng.beta(1.2, 2.4))
    melanin = np.float32(tone) * (1 + np.float32(0.12) * canvas.clouds(0.4, 4, 0.6))
    blood = np.float32(flush) * (
        1 + np.float32(canvas.uniform(0.08, 0.32)) * canvas.clouds(0.3, 5, 0.65)
    )

    # furrows: a faint lattice of two directions
    relief = np.float32(canvas.uniform(0.004, 0.02))
    furrows = relief * (
        np.abs(canvas.noise(0.03, canvas.uniform(1, 3)))
        + np.abs(canvas.noise(0.02, canvas.uniform(0.5, 1)))
    )
    if canvas.chance(0.3):  # telangiectasia: thin red lines
        lines = np.clip(1 - 5 * np.abs(canvas.clouds(0.12, 2)), 0, 1)
        blood += np.float32(canvas.uniform(0.03, 0.1)) * lines * smoothstep(canvas.noise(0.4), 0, 1)
    if canvas.chance(0.22):  # freckles and other moles
        spots = smoothstep(canvas.clouds(canvas.uniform(0.04, 0.08), 2), 1.3, 3.0)
        melanin += np.float32(canvas.uniform(0.06, 0.3)) * spots
    if canvas.chance(0.25):  # uneven tan
        melanin += np.float32(0.09) * smoothstep(canvas.clouds(0.35, 5, 0.65), 0.0, 2.0)

    white = np.array([1.0, 0.985, 0.965], dtype=np.float32)[:, None, None]
    picture = white * np.exp(-MELANIN * melanin - BLOOD * np.clip(blood, 0, None))
    return np.asarray(picture * (1 - furrows), dtype=np.float32)


class LesionShape(NamedTuple):
    """The shape of a lesion.

    Attributes:
        mask: Boolean (H, W).
        depth: 1 in the middle, 0 on the border, negative outside.
        angle: Direction from the middle, in radians.
    """

    mask: npt.NDArray[np.bool_]
    depth: Array
    angle: Array


def draw_shape(canvas: Canvas, visible: Array) -> LesionShape:
    """Draw the outline: a warped, lobed, often asymmetric blob, sometimes cut by the edge.

    Args:
        canvas: Coordinates and random numbers.
        visible: Array (H, W), above one half where the scope shows skin.
    """
    rng = canvas.rng
    # most lesions in dermoscopy fill an eighth to a half of the picture
    area = float(np.clip(np.exp(rng.normal(np.log(0.19), 0.68)), 0.035, 0.72))
    reach = 0.12 if area < 0.4 else 0.05
    if canvas.chance(0.12):  # touches the edge
        reach = 0.48
    center_x = canvas.uniform(-reach, reach) * 2 * canvas.half_width
    center_y = canvas.uniform(-reach, reach) * 2 * canvas.half_height
    turn = canvas.uniform(0, np.pi)
    longer = float(np.clip(np.exp(abs(rng.normal(0, 0.28))), 1, 2.2))

    radius = area**0.5
    irregular = canvas.uniform(0.2, 1.0)
    warp = np.float32(radius * irregular * 0.15)
    fine = np.float32(radius * irregular * 0.024)
    x = canvas.x - np.float32(center_x) + warp * canvas.noise(radius * 0.75)
    y = canvas.y - np.float32(center_y) + warp * canvas.noise(radius * 0.75)
    x += fine * canvas.clouds(radius * 0.24, 2)
    y += fine * canvas.clouds(radius * 0.22, 2)
    along = (np.cos(turn) * x + np.sin(turn) * y) / np.float32(longer**0.5)
    across = (-np.sin(turn) * x + np.cos(turn) * y) * np.float32(longer**0.5)
    angle = np.arctan2(across, along).astype(np.float32)
    distance = np.hypot(along, across).astype(np.float32)

    outline = np.ones_like(distance)
    for waves in range(2, 8):
        size = irregular * rng.normal(0, 0.12) / (waves - 1) ** 0.6
        outline += np.float32(size) * np.cos(waves * angle + np.float32(rng.uniform(0, 2 * np.pi)))
    ratio = distance / np.maximum(outline, 0.25)
    if canvas.chance(0.25):  # a second lobe
        toward = canvas.uniform(0, 2 * np.pi)
        away = np.float32(radius * canvas.uniform(0.35, 0.6))
        lobe = np.hypot(along - away * np.cos(toward), across - away * np.sin(toward))
        ratio = np.minimum(ratio, lobe.astype(np.float32) * np.float32(canvas.uniform(1.1, 1.7)))
    ratio = np.where(visible > 0.5, ratio, np.float32(1e3))
    border = max(float(np.quantile(ratio, area)), 1e-3)
    depth = 1 - ratio / np.float32(border)
    return LesionShape(depth > 0, np.asarray(depth, dtype=np.float32), angle)


class Pigment(NamedTuple):
    """Concentrations of the light-absorbing pigments, (H, W) each."""

    melanin: Array
    blood: Array


def _reticulate(canvas: Canvas, cell: float) -> Array:
    """Return a mesh, about 1 on its lines and 0 in its holes."""
    first = np.abs(canvas.noise(cell))
    second = np.abs(canvas.noise(cell * 1.1))
    return np.clip(1 - 2.2 * np.minimum(first, second), 0, 1)


def _globules(canvas: Canvas, cell: float) -> Array:
    """Return round dots, 1 inside and 0 between."""
    return smoothstep(canvas.noise(cell), 0.5, 1.9)


def draw_pigment(canvas: Canvas, shape: LesionShape, contrast: float) -> tuple[Pigment, Array]:
    """Draw the pigment of the lesion.

    Args:
        canvas: Coordinates and random numbers.
        shape: Shape of the lesion.
        contrast: Strength of all pigment, 1 for a common mole.

    Returns:
        The pigment, and the share of lesion in each pixel, (H, W) in [0, 1], fuzzy at the border.
    """
    rng = canvas.rng
    depth, angle = shape.depth, shape.angle
    fuzzy = float(np.exp(rng.uniform(np.log(0.10), np.log(0.42))))
    ragged = canvas.clouds(0.06, 4, 0.7) * np.float32(canvas.uniform(0.1, 0.38) * fuzzy)
    if canvas.chance(0.1):  # streaks: the border runs out in spikes
        spikes = int(rng.integers(18, 40))
        phase = rng.uniform(0, 2 * np.pi)
        rim = smoothstep(depth, 0.45, 0.1)
        long = rim * np.clip(0.3 + 0.4 * canvas.noise(0.2), 0, 1) * np.float32(fuzzy)
        ragged += long * np.cos(spikes * angle + np.float32(phase) + 1.6 * canvas.noise(0.2))
    # The mask's border is where the lesion becomes visible, not halfway down its slope.
    body = smoothstep(depth + ragged, -0.5 * fuzzy, 1.2 * fuzzy)

    # darker towards the middle or the rim, uneven, and darker on one side
    slope = rng.uniform(-0.25, 0.6)
    side = rng.uniform(0, 2 * np.pi)
    uneven = canvas.uniform(0.12, 0.45)
    density = (
        1
        + np.float32(slope) * (np.clip(depth, 0, 1) - 0.4)
        + np.float32(rng.uniform(0, 0.35)) * np.cos(angle - np.float32(side))
        + np.float32(uneven) * canvas.clouds(canvas.uniform(0.12, 0.3), 4, 0.65)
    )
    base = float(np.exp(rng.normal(np.log(0.62), 0.42)))
    melanin = np.float32(base) * np.clip(density, 0.12, 2.4)

    for _ in range(int(rng.choice(4, p=[0.35, 0.35, 0.2, 0.1]))):  # regions
        region = smoothstep(
            canvas.clouds(canvas.uniform(0.15, 0.4), 4), -0.1, canvas.uniform(0.8, 2.0)
        )
        melanin += np.float32(rng.choice([-0.35, 0.45, 0.8, 1.2]) * base) * region
    if canvas.chance(0.45):  # pigment network, denser at the rim
        mesh = _reticulate(canvas, canvas.uniform(0.022, 0.04))
        where = smoothstep(canvas.noise(0.35), -0.8, 0.6)
        melanin += np.float32(base * canvas.uniform(0.15, 0.45)) * where * (mesh - 0.35)
    if canvas.chance(0.4):  # dots and globules
        where = smoothstep(canvas.noise(0.3), -0.3, 0.8)
        dots = _globules(canvas, canvas.uniform(0.015, 0.035))
        melanin += np.float32(base * canvas.uniform(0.4, 1.0)) * where * dots
    # grain
    melanin *= 1 + np.float32(0.10) * canvas.noise(0.012)

    redness = float(rng.choice([0.05, 0.15, 0.35, 0.6], p=[0.4, 0.3, 0.2, 0.1]))
    if canvas.chance(0.1):  # amelanotic: pink, little brown
        melanin *= np.float32(0.22)
        redness = canvas.uniform(0.35, 0.7)
    blood = np.float32(redness) * np.clip(1 + 0.5 * canvas.clouds(0.2, 3), 0.1, None)
    scale = np.float32(contrast)
    pigment = Pigment(np.clip(melanin, 0.03, 3.2) * scale * body, blood * scale * body)
    return pigment, body


def absorb(picture: Array, pigment: Pigment) -> Array:
    """Absorb light by pigment in a picture (3, H, W), by the Beer-Lambert law."""
    return np.asarray(
        picture * np.exp(-MELANIN * pigment.melanin - BLOOD * pigment.blood), dtype=np.float32
    )


def draw_structures(canvas: Canvas, picture: Array, shape: LesionShape, body: Array) -> Array:
    """Add structures that are not pigment: blue-white veil, regression, white dots."""
    inside = body * smoothstep(shape.depth, 0.05, 0.35)
    light = np.float32(picture.mean() / 0.7)
    if canvas.chance(0.2):  # blue-white veil
        where = inside * smoothstep(canvas.clouds(0.3, 5, 0.65), -0.3, 1.8)
        gray = canvas.uniform(0.36, 0.52)
        blue = (gray * light * 0.93, gray * light * 1.0, gray * light * 1.16)
        picture = blend(picture, blue, where * np.float32(canvas.uniform(0.35, 0.7)))
    if canvas.chance(0.15):  # regression: a pale scar, peppered with gray
        where = inside * smoothstep(canvas.clouds(0.25, 5, 0.65), 0.0, 1.8)
        pale = (0.80 * light, 0.70 * light, 0.68 * light)
        picture = blend(picture, pale, where * np.float32(canvas.uniform(0.35, 0.65)))
        picture = picture * (1 - 0.22 * where * _globules(canvas, 0.015))
    if canvas.chance(0.12):  # milia-like cysts, scales
        dots = smoothstep(canvas.noise(canvas.uniform(0.012, 0.03)), 1.5, 3.2) * inside
        picture = blend(picture, (0.95 * light, 0.90 * light, 0.82 * light), np.float32(0.6) * dots)
    return picture
