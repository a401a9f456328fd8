"""Synthetic dermoscopy images with exact masks."""

import numpy as np
import torch
from torch import Tensor

from lesionseg._moved import RenamedAttribute
from lesionseg.data.datasets.base import LesionDataset
from lesionseg.data.datasets.sample import Sample
from lesionseg.data.drawing import draw_dermoscopy
from lesionseg.data.io.reading import check_size
from lesionseg.data.transforms.pipeline import Transforms

CACHE_BYTES = 512 * 2**20
"""Memory of a data set for drawings; others are drawn again every time."""


class SyntheticLesions(LesionDataset):
    """Drawn dermoscopy images, for experiments, teaching and tests, not for training a real model.

    Skin of many tones with hairs, ruler marks, gel bubbles, ink, vignette and black corners;
    lesions with fuzzy, irregular borders, several colors, pigment network, globules, blue-white
    veil and regression, some cut by the picture's edge, some hardly visible. The lesion covers
    about 3 to 80 % of the picture. Item ``i`` depends only on ``seed``, ``offset + i`` and
    ``size``.

    Args:
        length: Number of images.
        size: Height and width in pixels; at least 32 each.
        seed: Seed of the drawings.
        offset: Number of the first image; data sets of one seed whose numbers do not overlap have
            no image in common.
        with_truth: Whether to add ``truth``, uint8 (H, W) in {0, 255}.
        cache: Whether to keep drawings as 8-bit pixels in memory, up to 512 MiB.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every image and mask; see :class:`LesionDataset`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> data = SyntheticLesions(length=3, size=(48, 64), seed=1)
        >>> len(data), data.ids[0], data[0]["image"].shape
        (3, 'SYN_0000000', torch.Size([3, 48, 64]))
    """

    license = "CC0-1.0"
    licence = RenamedAttribute("license")

    def __init__(
        self,
        length: int,
        size: tuple[int, int] = (192, 256),
        seed: int = 0,
        offset: int = 0,
        with_truth: bool = False,
        cache: bool = True,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(with_truth, transforms)
        if length < 1:
            raise ValueError(f"expected length to be at least 1, got {length}")
        if seed < 0 or offset < 0:
            raise ValueError(f"expected seed and offset to be at least 0, got {seed} and {offset}")
        self.size = check_size(size)
        if min(self.size) < 32:
            raise ValueError(f"expected size to be at least 32 x 32, got {size}")
        self.length = length
        self.seed = seed
        self.offset = offset
        height, width = self.size
        self._room = CACHE_BYTES // (4 * height * width) if cache else 0
        self._drawn: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def ids(self) -> list[str]:
        """Names of the images: ``SYN_`` and their number."""
        return [self._name(index) for index in range(self.length)]

    def _name(self, index: int) -> str:
        return f"SYN_{self.offset + index:07d}"

    def __len__(self) -> int:
        return self.length

    def _draw(self, index: int) -> tuple[Tensor, Tensor]:
        """Return an 8-bit image (3, H, W) and mask (H, W) in {0, 255}."""
        if index in self._drawn:
            return self._drawn[index]
        rng = np.random.default_rng([self.seed, self.offset + index, *self.size])
        picture, mask = draw_dermoscopy(rng, self.size)
        image = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
        drawn = image, torch.from_numpy(mask).to(torch.uint8) * 255
        if len(self._drawn) < self._room:
            self._drawn[index] = drawn
        return drawn

    def read_sample(self, index: int) -> Sample:
        """Draw a sample, or return it from memory, without transforms."""
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
