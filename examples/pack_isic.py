"""Pack small copies of the ISIC 2018 (and 2017 test) images into a zip, to copy to a GPU machine.

The official zips take 12 GB; at 128 x 128 everything fits into some 20 MB. Images are resized
as for training and kept as JPEG; masks become {0, 255} at the same size, so that scores made from
the zip are scores at that size, not at the originals'.

    python examples/pack_isic.py DIR isic-128.zip --size 128 128
"""

import argparse
import io
import zipfile
from pathlib import Path

from torchvision.transforms.functional import to_pil_image
from tqdm import tqdm

from lesionseg.data import ISICDataset
from lesionseg.files import atomic_path

PARTS = ((2018, "train"), (2018, "val"), (2017, "test"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of the official folders")
    parser.add_argument("zip", type=Path, help="the file to write")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128), metavar=("H", "W"))
    options = parser.parse_args()
    with (
        atomic_path(options.zip) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive,
    ):
        for year, split in PARTS:
            if not ISICDataset.has(options.root, year, split):
                print(f"ISIC {year} {split}: not in {options.root}, left out")
                continue
            data = ISICDataset(options.root, year, split, tuple(options.size))
            images, masks = ISICDataset.check(year, split)
            for sample in tqdm(data, desc=f"ISIC {year} {split}", unit="image"):
                image, mask = to_pil_image(sample["image"]), to_pil_image(sample["mask"])
                name = sample["id"]
                archive.writestr(f"{images.folder}/{name}.jpg", encoded(image, "JPEG", quality=95))
                archive.writestr(f"{masks.folder}/{name}_segmentation.png", encoded(mask, "PNG"))
    print(f"{options.zip}: {options.zip.stat().st_size / 1e6:.1f} MB")


def encoded(picture, kind, **how) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **how)
    return content.getvalue()


if __name__ == "__main__":
    main()
