"""Write the training images of the released weights as an ISIC 2018 folder of 256 x 256 pixels.

    python tools/prepare_training_data.py --isic2018 DIR --isic2017 DIR --output DIR

For use where only small copies of ISIC 2018 are available. Images come from ISIC 2017 where it has
the id, since these are larger, and from ISIC 2018 elsewhere. Masks are those of ISIC 2018, which
were revised. Images that must not be trained on are not written.
"""

import argparse
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from lesionseg.data import ISICDataset, named_ids
from lesionseg.metrics.official import GRAY_THRESHOLD

EXCLUDED = ("isic2018-val", "isic2017-val", "isic2017-test", "near-duplicates")
SIDE = 256


def main() -> None:
    """Write the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isic2018", required=True, type=Path, help="folder of ISIC 2018")
    parser.add_argument("--isic2017", required=True, type=Path, help="folder of ISIC 2017")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args()
    larger = {
        pair.id: pair.image
        for split in ("train", "val")
        for pair in ISICDataset(options.isic2017, 2017, split).pairs
    }
    excluded = frozenset[str]().union(*map(named_ids, EXCLUDED))
    folders = [
        options.output / name
        for name in ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth")
    ]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    kept = [p for p in ISICDataset(options.isic2018, 2018, "train").pairs if p.id not in excluded]
    for pair in tqdm(kept, unit="image"):
        path = larger.get(pair.id, pair.image)
        target = folders[0] / f"{pair.id}.jpg"
        with Image.open(path, formats=["JPEG"]) as image:
            if image.size == (SIDE, SIDE):
                target.write_bytes(path.read_bytes())
            else:
                resized = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
                resized.save(target, quality=92)
        with Image.open(pair.mask, formats=["PNG"]) as image:
            # Gray levels at the border of a reduced mask locate the outline.
            enlarged = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        mask = enlarged.point(lambda level: 255 * (level > GRAY_THRESHOLD))
        mask.save(folders[1] / f"{pair.id}_segmentation.png", optimize=True)
    print(
        f"{len(kept)} images in {options.output}, {sum(p.id in larger for p in kept)} of ISIC 2017"
    )


if __name__ == "__main__":
    main()
