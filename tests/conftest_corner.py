"""Photographs whose right side up can be told, and networks that find what is bright in them."""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from lesionseg.networks import SegmentationNetwork

ORIENTATIONS = range(1, 9)
SUFFIXES = (".jpg", ".png", ".tif", ".webp")


def corner(size: tuple[int, int]) -> np.ndarray:
    """Bool (h, w): the lesion at the stored pixels' top left, of another height than width."""
    lesion = np.zeros(size, bool)
    lesion[: (size[0] + 1) // 2, : (size[1] + 2) // 3] = True
    return lesion


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def write_corner(
    path: Path, size: tuple[int, int] = (40, 66), orientation: int = 1, mode: str = "RGB"
) -> np.ndarray:
    """Write a dark image with one bright corner; return where a viewer shows it as bright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.where(corner(size), np.uint8(230), np.uint8(20))
    image = Image.fromarray(grey).convert(mode, dither=Image.Dither.NONE)
    options = {"lossless": True} if path.suffix == ".webp" else {}
    if orientation != 1:
        options["exif"] = oriented(orientation)
    if path.suffix == ".jpg":
        options |= {"quality": 95}
    image.save(path, **options)
    # Not by its path: Pillow 13 scrambles uncompressed TIFFs that it maps into memory.
    with Image.open(BytesIO(path.read_bytes())) as written:
        return np.asarray(ImageOps.exif_transpose(written).convert("L")) > 128


def place(lesion: np.ndarray) -> tuple[bool, bool]:
    """Whether a lesion lies in the lower, and in the right half."""
    rows, columns = np.nonzero(lesion)
    return rows.mean() > (lesion.shape[0] - 1) / 2, columns.mean() > (lesion.shape[1] - 1) / 2


class Bright(SegmentationNetwork):
    """Finds what is brighter than grey."""

    def __init__(self) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 40 * (image.mean(1, keepdim=True) - self.level)
