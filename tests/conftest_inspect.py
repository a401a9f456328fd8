"""Small pictures that look alike only where they should."""

from pathlib import Path

import numpy as np
from PIL import Image


def photo(seed, size=(96, 128)):
    """A picture of soft blotches that depend on the seed alone, whatever its height and width."""
    blotches = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(blotches).resize(size[::-1], Image.Resampling.BICUBIC)


def lesion(size=(96, 128), box=(30, 40, 70, 90)):
    """A mask of one rectangle: top, left, bottom and right."""
    mask = np.zeros(size, np.uint8)
    mask[box[0] : box[2], box[1] : box[3]] = 255
    return mask


def save_pair(images: Path, masks: Path | None, stem, seed, mask=None, ending=""):
    """Write ``stem.jpg`` and its mask ``stem + ending + .png``."""
    mask = lesion() if mask is None else mask
    images.mkdir(parents=True, exist_ok=True)
    photo(seed, mask.shape).save(images / f"{stem}.jpg", quality=95)
    if masks is not None:
        masks.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(masks / f"{stem}{ending}.png")


def write_broken(root: Path) -> None:
    """Ten pairs in ``images`` and ``masks``, eight of which have something amiss."""
    images, masks = root / "images", root / "masks"
    for number in range(10):
        save_pair(images, masks, f"p{number}", number)
    (images / "p0.jpg").write_bytes(b"")
    whole = (images / "p1.jpg").read_bytes()
    (images / "p1.jpg").write_bytes(whole[: len(whole) // 2])
    (masks / "p2.png").write_bytes(b"not a picture")
    (masks / "p3.png").unlink()
    (images / "p4.jpg").unlink()
    Image.fromarray(lesion((96, 100))).save(masks / "p5.png")
    Image.fromarray(lesion() // 255).save(masks / "p6.png")
    photo(7).save(images / "p7.png")
