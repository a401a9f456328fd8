"""The skin around the lesion."""

import numpy as np

from lesionseg.data.drawing.canvas import BLOOD, MELANIN, Array, Canvas, smoothstep


def draw_skin(canvas: Canvas) -> Array:
    """Draw bare skin: its tone, blotches, furrows, small vessels and freckles.

    Args:
        canvas: plane and source of chance.

    Returns:
        (3, H, W), about [0, 1].
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

    # Furrows: a fine lattice of two directions, hardly seen.
    relief = np.float32(canvas.uniform(0.004, 0.02))
    furrows = relief * (
        np.abs(canvas.noise(0.03, canvas.uniform(1, 3)))
        + np.abs(canvas.noise(0.02, canvas.uniform(0.5, 1)))
    )
    if canvas.chance(0.3):  # telangiectasia: thin red lines
        lines = np.clip(1 - 5 * np.abs(canvas.clouds(0.12, 2)), 0, 1)
        blood += np.float32(canvas.uniform(0.03, 0.1)) * lines * smoothstep(canvas.noise(0.4), 0, 1)
    if canvas.chance(0.22):  # freckles and other moles, none of them the lesion
        spots = smoothstep(canvas.clouds(canvas.uniform(0.04, 0.08), 2), 1.3, 3.0)
        melanin += np.float32(canvas.uniform(0.06, 0.3)) * spots
    if canvas.chance(0.25):  # uneven tan
        melanin += np.float32(0.09) * smoothstep(canvas.clouds(0.35, 5, 0.65), 0.0, 2.0)

    white = np.array([1.0, 0.985, 0.965], dtype=np.float32)[:, None, None]
    picture = white * np.exp(-MELANIN * melanin - BLOOD * np.clip(blood, 0, None))
    return np.asarray(picture * (1 - furrows), dtype=np.float32)
