"""Which files of a folder are images and masks, by their names. Without torch."""

from pathlib import Path

from lesionseg.errors import DatasetNotFoundError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MASK_ENDINGS = ("_segmentation", "_mask", "_lesion")


def list_files(folder: Path, what: str) -> list[Path]:
    """Return the image files in a folder; hidden ones and superpixels are none."""
    if not folder.is_dir():
        raise DatasetNotFoundError(f"The folder of {what} {folder} does not exist; check the path.")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.lower().endswith("_superpixels")
    )


def strip_ending(stem: str) -> str:
    """Return the stem of a mask file without ``_segmentation`` and the like."""
    for ending in MASK_ENDINGS:
        if stem.lower().endswith(ending):
            return stem[: -len(ending)]
    return stem
