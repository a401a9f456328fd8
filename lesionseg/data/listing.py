"""Which files of a folder are images and masks, by their names. Without torch."""

import unicodedata
from pathlib import Path

from lesionseg.errors import DatasetNotFoundError

# What Pillow reads and photographs come in. HEIC takes a plugin, and AVIF a recent Pillow; without
# them an error names the file that would be missed.
IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".gif",
    ".jfif",
    ".jp2",
    ".pgm",
    ".ppm",
    ".tga",
    ".avif",
    ".heic",
    ".heif",
)
MASK_ENDINGS = ("_segmentation", "_mask", "_lesion")


def list_files(folder: Path, what: str) -> list[Path]:
    """Return the image files in a folder; hidden ones and superpixels are none, nor are folders.

    Suffixes count in small and capital letters.
    """
    if not folder.is_dir():
        raise DatasetNotFoundError(f"The folder of {what} {folder} does not exist; check the path.")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.lower().endswith("_superpixels")
        and not path.is_dir()
    )


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, in Unicode's composed form (NFC).

    macOS and some archives write an accent as a sign of its own: names that look the same are the
    same.
    """
    return unicodedata.normalize("NFC", path.stem)


def strip_ending(stem: str) -> str:
    """Return the stem of a mask file without ``_segmentation`` and the like."""
    for ending in MASK_ENDINGS:
        if stem.lower().endswith(ending):
            return stem[: -len(ending)]
    return stem
