"""Draw the pictures of synthetic lesions: run ``python docs/make_images.py`` after a change."""

from pathlib import Path

import numpy as np
from PIL import Image

from lesionseg.data import SyntheticLesions
from lesionseg.inspection import augmentation_sheet
from lesionseg.visualization import TRUTH_COLOR, contact_sheet, draw_outline, to_picture

IMAGES = Path(__file__).parent / "images"
TILES = 12


def synthetic_sheet() -> Image.Image:
    """Twelve synthetic lesions, each with the border of its mask in green."""
    lesions = SyntheticLesions(TILES, size=(192, 256))
    tiles = []
    for index in range(TILES):
        sample = lesions[index]
        mask = np.asarray(sample["mask"][0] > 0)
        picture = draw_outline(to_picture(sample["image"]), mask, TRUTH_COLOR)
        tiles.append((picture, sample["id"]))
    return contact_sheet(tiles, columns=4, width=224)


def augmentation_picture() -> Image.Image:
    """A synthetic lesion under some augmentations, each by itself and together."""
    sample = SyntheticLesions(2, size=(192, 256))[1]
    return augmentation_sheet([sample], ["rotation", "elastic", "color_jitter", "hair"], draws=3)


PICTURES = {"synthetic.png": synthetic_sheet, "augment.png": augmentation_picture}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        # A palette keeps the noisy pictures small; 256 colors are enough for skin.
        draw().quantize(256, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
