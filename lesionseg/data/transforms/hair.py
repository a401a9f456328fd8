"""Hairs over real images, drawn as those of the synthetic ones."""

import math

import numpy as np
import torch
from torch import Tensor

from lesionseg.data.drawing.artefacts import Hairs, grow_hairs
from lesionseg.data.drawing.canvas import Array, Canvas
from lesionseg.data.transforms.base import RandomChange


class Hair(RandomChange):
    """Lays hairs over an image, which its mask does not know of.

    They are drawn on the CPU, one image at a time, without a look at the image; the device only
    lays them over it.

    Args:
        probability: of hairs, per image.
        hairs: range of their number, drawn on a logarithmic scale: few are more frequent than many.
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

        def together(parts: list[Array]) -> Tensor:
            return torch.from_numpy(np.stack(parts)).to(images.device, non_blocking=True)

        images.mul_(together([one.shade[None] for one in layers]))
        color = together([np.array(one.color, np.float32)[:, None, None] for one in layers])
        return images.lerp_(color, together([one.opacity[None] for one in layers]))

    def _grow(self, seed: int, size: tuple[int, int]) -> Hairs:
        canvas = Canvas(np.random.default_rng(seed), size)
        fewest, most = self.hairs
        return grow_hairs(canvas, round(math.exp(canvas.uniform(math.log(fewest), math.log(most)))))
