"""Synthetic dermoscopy images: endless, exact, and free of licences."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from lesionseg.data.datasets.sample import Sample, draw_sample
from lesionseg.data.drawing import draw_dermoscopy
from lesionseg.data.io.reading import check_size

CACHE_BYTES = 512 * 2**20
"""Drawings kept by one data set; those beyond are drawn again every time."""


class SyntheticLesions(Dataset[Sample]):
    """Drawn dermoscopy: for trying things out, teaching and tests, not for training a real model.

    Skin of many tones with hairs, ruler marks, gel bubbles, ink, vignette and black corners;
    lesions with fuzzy, irregular borders, several colours, pigment network, globules, blue-white
    veil and regression, some cut by the picture's edge, some hardly seen. The lesion covers about 3
    to 80 % of the picture. Item ``i`` depends on ``seed``, ``offset + i`` and ``size`` alone.

    Args:
        length: number of images.
        size: height and width in pixels; 32 or more each.
        seed: of the drawings.
        offset: number of the first image; data sets of one seed whose numbers don't overlap have
            no image in common.
        with_truth: add ``truth``, uint8 (H, W) in {0, 255}.
        cache: keep drawings as 8-bit pixels, up to 512 MiB, because an epoch revisits them.

    Raises:
        ValueError: if an argument is out of range.
    """

    licence = "CC0-1.0"

    def __init__(
        self,
        length: int,
        size: tuple[int, int] = (192, 256),
        seed: int = 0,
        offset: int = 0,
        with_truth: bool = False,
        cache: bool = True,
    ) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1: {length}")
        if seed < 0 or offset < 0:
            raise ValueError(f"seed and offset must be 0 or more: {seed}, {offset}")
        self.size = check_size(size)
        if min(self.size) < 32:
            raise ValueError(f"size must be 32 x 32 or more for a lesion to be seen: {size}")
        self.length = length
        self.seed = seed
        self.offset = offset
        self.with_truth = with_truth
        height, width = self.size
        self._room = CACHE_BYTES // (4 * height * width) if cache else 0
        self._drawn: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def ids(self) -> list[str]:
        """Names of the images, ``SYN_`` and their number."""
        return [self._name(index) for index in range(self.length)]

    def _name(self, index: int) -> str:
        return f"SYN_{self.offset + index:07d}"

    def __len__(self) -> int:
        return self.length

    def _draw(self, index: int) -> tuple[Tensor, Tensor]:
        """Return 8-bit image (3, H, W) and mask (H, W) in {0, 255}."""
        if index in self._drawn:
            return self._drawn[index]
        rng = np.random.default_rng([self.seed, self.offset + index, *self.size])
        picture, mask = draw_dermoscopy(rng, self.size)
        image = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
        drawn = image, torch.from_numpy(mask).to(torch.uint8) * 255
        if len(self._drawn) < self._room:
            self._drawn[index] = drawn
        return drawn

    def __getitem__(self, index: int) -> Sample:
        """Draw one sample, or take it from those already drawn."""
        if not -self.length <= index < self.length:
            raise IndexError(f"index must be 0 to {self.length - 1}: {index}")
        index %= self.length
        image, mask = self._draw(index)
        sample = Sample(
            image=image.float() / 255,
            mask=(mask > 0).float()[None],
            id=self._name(index),
            size=self.size,
        )
        if self.with_truth:
            sample["truth"] = mask.clone()
        return sample

    def plot(self, sample: Sample) -> Image.Image:
        """Draw the sample's image with its mask outlined; RGB at the sample's size."""
        return draw_sample(sample)
