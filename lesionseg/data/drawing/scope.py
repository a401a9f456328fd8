"""The dermoscope and its camera: aperture, light, white balance, focus, noise."""

import numpy as np
from PIL import Image, ImageFilter

from lesionseg.data.drawing.canvas import Array, Canvas, smoothstep


def draw_aperture(canvas: Canvas) -> Array:
    """Return the transmitted share of the light, (H, W): some scopes have black corners."""
    if not canvas.chance(0.22):
        return np.ones_like(canvas.x)
    corner = float(np.hypot(canvas.half_width, canvas.half_height))
    radius = canvas.uniform(0.78, 0.98) * corner
    shift_x, shift_y = canvas.rng.normal(0, 0.025, 2)
    distance = np.hypot(canvas.x - np.float32(shift_x), canvas.y - np.float32(shift_y))
    soft = canvas.uniform(0.004, 0.05)
    return 1 - smoothstep(distance.astype(np.float32), radius - soft, radius + soft)


def light(canvas: Canvas, picture: Array, aperture: Array) -> Array:
    """Light the scene: falloff to the corners and to one side, tint, aperture."""
    rng = canvas.rng
    corner = np.float32(np.hypot(canvas.half_width, canvas.half_height))
    distance = np.hypot(canvas.x, canvas.y) / corner
    falloff = canvas.uniform(0.0, 0.18) if canvas.chance(0.7) else canvas.uniform(0.2, 0.5)
    direction = rng.uniform(0, 2 * np.pi)
    tilt = canvas.uniform(0, 0.16)
    lit = 1 - np.float32(falloff) * distance**2
    lit += np.float32(tilt) * (np.cos(direction) * canvas.x + np.sin(direction) * canvas.y)
    exposure = float(np.clip(rng.normal(0.97, 0.10), 0.68, 1.18))
    tint = np.exp(rng.normal(0, 0.045, 3)).astype(np.float32)
    if canvas.chance(0.18):  # a bluish camera
        tint *= np.array([0.88, 0.98, 1.14], dtype=np.float32)
    picture = picture * lit * np.float32(exposure) * tint[:, None, None]
    rim = np.array(rng.uniform(0.0, 0.08, 3), dtype=np.float32)[:, None, None]
    return np.asarray(rim + (picture - rim) * aperture, dtype=np.float32)


def photograph(canvas: Canvas, picture: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Take the picture: tone curve, focus, sensor noise, 8 bits.

    Args:
        canvas: Coordinates and random numbers.
        picture: Linear picture (3, H, W), about [0, 1].

    Returns:
        RGB picture, uint8 (H, W, 3).
    """
    rng = canvas.rng
    curve = np.clip(picture, 0, None) ** np.float32(canvas.uniform(0.85, 1.15))
    curve = np.where(curve > 0.9, 0.9 + 0.1 * np.tanh((curve - 0.9) / 0.1), curve)
    pixels = np.asarray(np.clip(curve * 255, 0, 255).transpose(1, 2, 0), dtype=np.uint8)
    focus = abs(rng.normal(0, 0.0022)) * canvas.side
    if focus > 0.25:
        blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(focus))
        pixels = np.asarray(blurred)
    grain = np.float32(canvas.uniform(0.5, 2.6))
    noise = rng.standard_normal((canvas.height, canvas.width, 3), dtype=np.float32) * grain
    noise += rng.standard_normal((canvas.height, canvas.width, 1), dtype=np.float32) * grain
    return np.asarray(np.clip(pixels + noise, 0, 255), dtype=np.uint8)
