"""Six-megapixel JPEGs with masks, like those of a dermatoscope's camera, for the benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lesionseg.data import FolderDataset, Pair, PairedDataset, SyntheticLesions

MEGAPIXELS = 6.0


def photographs(
    folder: Path, count: int, megapixels: float, source: tuple[str, str] | None = None
) -> list[Pair]:
    """Write pairs to a folder: the largest of a source, or synthetic lesions, enlarged to size.

    Images keep their aspect ratio; those that are large enough are copied. JPEG quality 95 with
    Pillow's chroma subsampling gives as many bytes per pixel as cameras do.
    """
    pairs: list[Pair] = []
    for number, (image, mask) in enumerate(_originals(count, source)):
        scale = max((megapixels * 1e6 / (image.width * image.height)) ** 0.5, 1)
        size = (round(image.width * scale), round(image.height * scale))
        pair = Pair(str(number), folder / f"{number}.jpg", folder / f"{number}.png")
        image.resize(size, Image.Resampling.BICUBIC).save(pair.image, quality=95)
        mask.resize(size, Image.Resampling.NEAREST).save(pair.mask)
        pairs.append(pair)
    return pairs


def _originals(count: int, source: tuple[str, str] | None):
    if source is None:
        for sample in SyntheticLesions(length=count, size=(96, 128)):
            pixels = (sample["image"].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            yield (
                Image.fromarray(pixels),
                Image.fromarray(sample["mask"][0].numpy() > 0).convert("L"),
            )
        return
    pairs = FolderDataset(*source).pairs
    largest = sorted(pairs, key=lambda pair: -pair.image.stat().st_size)[:count]
    for pair in largest:
        yield Image.open(pair.image).convert("RGB"), Image.open(pair.mask).convert("L")


def repeated(pairs: list[Pair], times: int, size: tuple[int, int]) -> PairedDataset:
    """Return a larger data set of the same files; each is decoded every time."""
    return PairedDataset(
        [pair._replace(id=f"{pair.id}-{turn}") for turn in range(times) for pair in pairs], size
    )
