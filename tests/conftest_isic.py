"""Tiny trees of the official ISIC folders."""

from pathlib import Path

import numpy as np
from PIL import Image

OFFICIAL = {
    (2016, "train"): (
        "ISBI2016_ISIC_Part1_Training_Data",
        "ISBI2016_ISIC_Part1_Training_GroundTruth",
    ),
    (2016, "test"): ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
    (2017, "train"): ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
    (2017, "val"): ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
    (2017, "test"): ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
    (2018, "train"): ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    (2018, "val"): ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    (2018, "test"): ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
}


def write_pair(
    image: Path, mask: Path | None, size: tuple[int, int] = (40, 56), number: int = 0
) -> None:
    """Write an image whose red channel is its mask, a rectangle that depends on ``number``."""
    lesion = np.zeros(size, np.uint8)
    lesion[5 + number % 7 : size[0] // 2 + 8, 8 : size[1] // 2 + number % 11] = 255
    pixels = np.stack([lesion, np.full(size, 90, np.uint8), np.full(size, number % 256)], -1)
    for path in filter(None, (image, mask)):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(image, quality=95)
    if mask is not None:
        Image.fromarray(lesion).save(mask)


def write_isic(
    root: Path,
    year: int,
    split: str,
    count: int,
    masks: bool = True,
    ids: list[str] | None = None,
) -> list[str]:
    """Write an official split with everything that the real folders hold beside its pairs."""
    images, truth = (root / folder for folder in OFFICIAL[year, split])
    first = {"train": 0, "val": 1000, "test": 2000}[split]
    ending = "_Segmentation.png" if year == 2016 else "_segmentation.png"
    ids = ids or [f"ISIC_{first + number:07d}" for number in range(count)]
    for number, id_ in enumerate(ids):
        suffix = ".JPG" if number == 1 else ".jpg"
        write_pair(
            images / (id_ + suffix), truth / (id_ + ending) if masks else None, number=number
        )
        if year == 2017:
            Image.new("RGB", (56, 40)).save(images / f"{id_}_superpixels.png")
    for folder in (images, truth) if masks else (images,):
        folder.mkdir(exist_ok=True)
    (images / f"{images.name}_metadata.csv").write_text("image_id,age_approximate,sex\n")
    (images / "ATTRIBUTION.txt").write_text("thanks")
    (images / "._ISIC_0000000.jpg").write_bytes(b"finder")
    if masks:
        (truth / "LICENSE.txt").write_text("CC0")
    return ids
