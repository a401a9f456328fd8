"""Hairs over real images, drawn like those of synthetic images."""

import math

import numpy as np
import torch
from torch import Tensor

from lesionseg.data.drawing.artifacts import Hairs, grow_hairs
from lesionseg.data.drawing.canvas import Array, Canvas
from lesionseg.data.transforms.base import RandomChange


class Hair(RandomChange):
    """Lay hairs over an image; the mask is not changed.

    They are drawn on the CPU, image by image, and blended on the device.

    Args:
        probability: Probability of hairs, per image.
        hairs: Range of their number, which is log-uniform: few are more frequent than many.
    """

    def __init__(self, probability: float, hairs: tuple[int, int]) -> None:
        super().__init__(probability)
        self.hairs = hairs

    def draw(self, count: int) -> Tensor:
        """Draw a seed for each image's hairs, int64 (count,)."""
        return torch.randint(2**62, (count,), device="cpu")

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Shade the skin and lay the hairs over it, in place."""
        height, width = images.shape[-2:]
        layers = [self._grow(seed, (height, width)) for seed in drawn.tolist()]

        def stacked(parts: list[Array]) -> Tensor:
            return torch.from_numpy(np.stack(parts)).to(images.device, non_blocking=True)

        images.mul_(stacked([layer.shade[None] for layer in layers]))
        color = stacked([np.array(layer.color, np.float32)[:, None, None] for layer in layers])
        return images.lerp_(color, stacked([layer.opacity[None] for layer in layers]))

    def _grow(self, seed: int, size: tuple[int, int]) -> Hairs:
        canvas = Canvas(np.random.default_rng(seed), size)
        fewest, most = self.hairs
        return grow_hairs(canvas, round(math.exp(canvas.uniform(math.log(fewest), math.log(most)))))
