"""Artifacts on the skin or the lens: hairs, gel bubbles, ruler, ink, stickers."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lesionseg.data.drawing.canvas import Array, Canvas, blend, smoothstep

_FINE = 3  # lines are drawn at three times the size and averaged, for smooth edges


class _Pen:
    """Draw lines in canvas units; ``ink`` returns their coverage."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.scale = canvas.side * _FINE
        self.sheet = Image.new("L", (canvas.width * _FINE, canvas.height * _FINE))
        self.draw = ImageDraw.Draw(self.sheet)

    def line(self, xs: Array, ys: Array, width: float, value: int = 255) -> None:
        """Draw a polyline."""
        points = np.stack(
            [
                (xs + self.canvas.half_width) * self.scale,
                (ys + self.canvas.half_height) * self.scale,
            ],
            axis=1,
        )
        pixels = max(1, round(width * self.scale))
        self.draw.line([tuple(p) for p in points.tolist()], fill=value, width=pixels, joint="curve")

    def ink(self, blur: float = 0.0) -> Array:
        """Return the coverage, (H, W) in [0, 1]."""
        sheet = self.sheet.reduce(_FINE)
        if blur * self.canvas.side > 0.3:
            sheet = sheet.filter(ImageFilter.GaussianBlur(blur * self.canvas.side))
        return np.asarray(np.asarray(sheet) / 255, dtype=np.float32)


def _hair(canvas: Canvas, pen: _Pen, heading: float, length: float, width: float) -> None:
    """Draw a hair: a cubic arc that thins towards its tip."""
    rng = canvas.rng
    steps = 10
    t = np.linspace(0, 1, steps, dtype=np.float32)
    bend = rng.normal(0, 0.7)
    curl = rng.normal(0, 0.5)
    turn = heading + bend * (t - 0.5) + curl * (t - 0.5) ** 2 * 2
    xs = np.cumsum(np.cos(turn)) * length / steps
    ys = np.cumsum(np.sin(turn)) * length / steps
    x0 = rng.uniform(-1.1, 1.1) * canvas.half_width - xs[steps // 2]
    y0 = rng.uniform(-1.1, 1.1) * canvas.half_height - ys[steps // 2]
    xs, ys = (xs + x0).astype(np.float32), (ys + y0).astype(np.float32)
    strength = int(rng.integers(150, 256))
    pen.line(xs[:8], ys[:8], width, strength)
    pen.line(xs[7:], ys[7:], width * 0.6, strength)


class Hairs(NamedTuple):
    """Hairs to be blended with a picture of their size.

    Attributes:
        shade: Factor of the skin's brightness beside them, (H, W), up to 1.
        color: RGB in [0, 1].
        opacity: Array (H, W) in [0, 1].
    """

    shade: Array
    color: tuple[float, float, float]
    opacity: Array


def grow_hairs(canvas: Canvas, count: int) -> Hairs:
    """Draw ``count`` hairs: long or short, roughly parallel; dark, rarely light."""
    rng = canvas.rng
    heading = canvas.uniform(0, np.pi)
    short = canvas.chance(0.25)
    thick = float(np.exp(rng.uniform(np.log(0.003), np.log(0.010))))
    pen = _Pen(canvas)
    for _ in range(count):
        length = canvas.uniform(0.06, 0.2) if short else canvas.uniform(0.35, 1.3)
        _hair(canvas, pen, heading + rng.normal(0, 0.45), length, thick * canvas.uniform(0.6, 1.3))
    dark = canvas.uniform(0.03, 0.22)
    color = (dark * 1.15, dark * 0.9, dark * 0.8)
    opacity = canvas.uniform(0.65, 0.97)
    if canvas.chance(0.12):
        color, opacity = (0.93, 0.88, 0.80), canvas.uniform(0.4, 0.7)
    ink = pen.ink(canvas.uniform(0.0, 0.004))
    shade = np.ones_like(ink)
    if opacity > 0.7:  # a faint shadow beside the hair
        shift = max(1, round(0.006 * canvas.side))
        shade -= 0.12 * np.roll(ink, (shift, shift), (0, 1))
    return Hairs(shade, color, ink * np.float32(opacity))


def draw_hairs(canvas: Canvas, picture: Array) -> Array:
    """Draw hairs on a picture: none in half of the cases, a few, or many."""
    rng = canvas.rng
    kind = canvas.uniform(0, 1)
    if kind < 0.48:
        return picture
    count = int(rng.integers(2, 10)) if kind < 0.8 else int(rng.integers(12, 40))
    hairs = grow_hairs(canvas, count)
    return blend(picture * hairs.shade, hairs.color, hairs.opacity)


def draw_ruler(canvas: Canvas, picture: Array) -> Array:
    """Draw a millimeter scale on a picture: a line with ticks, or only ticks at the edge."""
    if not canvas.chance(0.2):
        return picture
    rng = canvas.rng
    pen = _Pen(canvas)
    step = canvas.uniform(0.035, 0.07)
    ticks = int(rng.integers(8, 16))
    width = canvas.uniform(0.004, 0.008)
    if canvas.chance(0.5):
        turn = rng.normal(0, 0.15)
        x0 = canvas.uniform(-0.8, 0.2) * canvas.half_width
        y0 = canvas.uniform(0.72, 0.92) * canvas.half_height
        rule = True
    else:
        turn = np.pi / 2 + rng.normal(0, 0.08)
        x0 = canvas.uniform(0.93, 0.99) * canvas.half_width
        y0 = canvas.uniform(-0.9, -0.4) * canvas.half_height
        rule = False
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([np.sin(turn), -np.cos(turn)]) * (1 if rule else -1)
    start = np.array([x0, y0])
    for tick in range(ticks + 1):
        foot = start + along * step * tick
        tip = foot + across * step * (0.9 if tick % 5 == 0 else 0.5)
        pen.line(np.array([foot[0], tip[0]]), np.array([foot[1], tip[1]]), width)
    if rule:
        end = start + along * step * ticks
        pen.line(np.array([start[0], end[0]]), np.array([start[1], end[1]]), width)
    return blend(picture, (0.08, 0.07, 0.08), pen.ink(0.001) * np.float32(0.85))


def draw_bubbles(canvas: Canvas, picture: Array) -> Array:
    """Draw gel bubbles on a picture: thin rims with a highlight."""
    if not canvas.chance(0.22):
        return picture
    rng = canvas.rng
    for _ in range(int(rng.integers(1, 9))):
        radius = float(np.exp(rng.uniform(np.log(0.012), np.log(0.09))))
        x = canvas.x - np.float32(rng.uniform(-1, 1) * canvas.half_width)
        y = canvas.y - np.float32(rng.uniform(-1, 1) * canvas.half_height)
        distance = np.hypot(x, y * np.float32(rng.uniform(0.85, 1.15))) / np.float32(radius)
        rim = np.exp(-(((distance - 1) / np.float32(0.10)) ** 2))
        lit = 0.5 - 0.5 * (x + y) / (np.float32(1.5 * radius) * np.maximum(distance, 0.2))
        strength = np.float32(canvas.uniform(0.06, 0.22))
        picture = picture * (1 + strength * rim * (2 * lit - 0.8))
        glint = np.hypot(x + np.float32(0.4 * radius), y + np.float32(0.4 * radius))
        shine = smoothstep(glint, radius * 0.22, radius * 0.08) if radius > 0.02 else 0 * rim
        picture = blend(picture, (0.97, 0.97, 0.97), np.float32(0.6) * shine)
    return picture


def draw_ink(canvas: Canvas, picture: Array) -> Array:
    """Draw a surgeon's violet marks or a colored sticker beside the lesion."""
    rng = canvas.rng
    if canvas.chance(0.06):
        pen = _Pen(canvas)
        for _ in range(int(rng.integers(1, 4))):
            side = rng.uniform(0, 2 * np.pi)
            x0, y0 = (
                0.85 * np.cos(side) * canvas.half_width,
                0.85 * np.sin(side) * canvas.half_height,
            )
            xs = x0 + np.cumsum(rng.normal(0, 0.03, 24))
            ys = y0 + np.cumsum(rng.normal(0, 0.03, 24))
            pen.line(xs.astype(np.float32), ys.astype(np.float32), 0.008)
        violet = (0.38, 0.20, 0.62)
        ink = pen.ink(0.003) * np.clip(0.65 + 0.3 * canvas.noise(0.02), 0, 1)
        picture = blend(picture, violet, ink)
    if canvas.chance(0.04):
        radius = canvas.uniform(0.18, 0.32)
        edge = canvas.half_width * (1 if canvas.chance(0.5) else -1)
        x = canvas.x - np.float32(edge * canvas.uniform(0.95, 1.2))
        y = canvas.y - np.float32(canvas.uniform(-0.8, 0.8) * canvas.half_height)
        colors = [(0.25, 0.75, 0.70), (0.95, 0.75, 0.20), (0.90, 0.45, 0.20), (0.35, 0.55, 0.85)]
        color = colors[int(rng.integers(len(colors)))]
        disc = smoothstep(np.hypot(x, y).astype(np.float32), radius + 0.006, radius - 0.006)
        picture = blend(picture, color, disc * np.float32(0.95))
    return picture
