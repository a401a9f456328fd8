"""Coordinates, random textures and blending of drawn pictures."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Array: TypeAlias = npt.NDArray[np.float32]

# Absorption of red, green and blue light: melanin absorbs blue most, blood green and blue.
MELANIN = np.array([0.56, 1.0, 1.48], dtype=np.float32)[:, None, None]
BLOOD = np.array([0.14, 1.0, 0.80], dtype=np.float32)[:, None, None]


class Canvas:
    """Coordinates and random textures of a picture; lengths are in units of its shorter side.

    Args:
        rng: Source of all random numbers.
        size: Height and width in pixels.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng = rng
        self.height, self.width = size
        self.side = min(size)
        self.half_height = self.height / self.side / 2
        self.half_width = self.width / self.side / 2
        # of the pixels' centers; (0, 0) is the middle
        rows = (np.arange(self.height, dtype=np.float32) + 0.5) / self.side - self.half_height
        columns = (np.arange(self.width, dtype=np.float32) + 0.5) / self.side - self.half_width
        self.y, self.x = np.meshgrid(rows, columns, indexing="ij")

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return bool(self.rng.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        """Return a uniform random number."""
        return float(self.rng.uniform(low, high))

    def noise(self, cell: float, stretch: float = 1.0) -> Array:
        """Return smooth noise (H, W), of mean 0 and standard deviation about 1.

        Args:
            cell: Distance of the random values, in units of the shorter side.
            stretch: Ratio of width to height of the spots.
        """
        # nothing to interpolate below a pixel
        step = max(cell, 1.0 / self.side)
        rows = int(np.ceil(2 * self.half_height / step)) + 3
        columns = int(np.ceil(2 * self.half_width / (step * stretch))) + 3
        values = self.rng.standard_normal((rows, columns), dtype=np.float32)
        left, top = self.rng.random(2)
        box = (
            1 + left,
            1 + top,
            1 + left + 2 * self.half_width / (step * stretch),
            1 + top + 2 * self.half_height / step,
        )
        image = Image.fromarray(values)
        smooth = image.resize(
            (self.width, self.height),
            Image.Resampling.BICUBIC,
            box=(box[0], box[1], min(box[2], columns), min(box[3], rows)),
        )
        return np.asarray(np.asarray(smooth) * 1.35, dtype=np.float32)

    def clouds(self, cell: float, octaves: int = 3, persistence: float = 0.55) -> Array:
        """Return fractal noise (H, W), of mean 0 and standard deviation about 1."""
        total = np.zeros((self.height, self.width), dtype=np.float32)
        weight = 1.0
        power = 0.0
        for octave in range(octaves):
            if cell / 2**octave * self.side < 1:
                break
            total += np.float32(weight) * self.noise(cell / 2**octave)
            power += weight**2
            weight *= persistence
        return np.asarray(total / max(power, 1.0) ** 0.5, dtype=np.float32)


def smoothstep(values: Array, low: float, high: float) -> Array:
    """Return a smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def blend(picture: Array, color: Array | tuple[float, float, float], alpha: Array) -> Array:
    """Blend a color into a picture (3, H, W) with opacity ``alpha`` (H, W)."""
    over = np.asarray(color, dtype=np.float32)
    if over.ndim == 1:
        over = over[:, None, None]
    return np.asarray(picture + (over - picture) * alpha, dtype=np.float32)
