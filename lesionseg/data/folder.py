"""Anyone's images and masks."""

from collections.abc import Sequence
from pathlib import Path

from lesionseg.data.listing import IMAGE_SUFFIXES, list_files, strip_ending
from lesionseg.data.pairs import Pair, PairedDataset
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten


def _images_in(images: Path, masks: Path | None) -> list[Path]:
    """Return the images of a folder, without the masks that share it with them."""
    paths = list_files(images, "images")
    if masks is not None and masks.resolve() == images.resolve():
        paths = [path for path in paths if strip_ending(path.stem) == path.stem]
    if not paths:
        raise DatasetNotFoundError(
            f"The folder {images} holds no images ({', '.join(IMAGE_SUFFIXES)}); check the path."
        )
    return paths


def _masks_by_stem(masks: Path, images: Sequence[Path]) -> dict[str, Path]:
    """Map the stem of each image that a mask belongs to, or would belong to, to the mask."""
    image_stems = {path.stem for path in images}
    image_files = {path.resolve() for path in images}
    found: dict[str, Path] = {}
    for path in list_files(masks, "masks"):
        if path.resolve() in image_files:
            continue
        stem = path.stem if path.stem in image_stems else strip_ending(path.stem)
        if stem in found:
            raise InvalidDataError(
                f"The masks {found[stem]} and {path} belong to the same image; remove one."
            )
        found[stem] = path
    return found


class FolderDataset(PairedDataset):
    """Images in a folder or a list, with or without masks.

    An image and its mask have the same file stem; the mask's may also end in ``_segmentation``,
    ``_mask`` or ``_lesion``. The stem is the id. Sub-folders are not searched.

    Args:
        images: folder of images, or their paths.
        masks: folder of masks; None for images without masks.
        size: height and width in pixels of ``image`` and ``mask``.
        with_truth: add ``truth``, the mask file's grey values at the original size.

    Raises:
        DatasetNotFoundError: if a folder or a listed file does not exist, or holds no images.
        InvalidDataError: if an image has no mask or two, a mask in a folder has no image in the
            other folder, or two images have the same stem.
    """

    def __init__(
        self,
        images: str | Path | Sequence[str | Path],
        masks: str | Path | None = None,
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
    ) -> None:
        masks = None if masks is None else Path(masks)
        if isinstance(images, (str, Path)):
            paths = _images_in(Path(images), masks)
        else:
            paths = [Path(path) for path in images]
            if missing := [str(path) for path in paths if not path.is_file()]:
                raise DatasetNotFoundError(f"No such image: {shorten(missing)}; check the path.")
        by_stem = {} if masks is None else _masks_by_stem(masks, paths)
        pairs = [Pair(path.stem, path, by_stem.pop(path.stem, None)) for path in paths]
        super().__init__(pairs, size, with_truth)
        if masks is not None:
            if bare := [pair.image.name for pair in self.pairs if pair.mask is None]:
                raise InvalidDataError(
                    f"{len(bare)} of {len(self)} images have no mask in {masks}: {shorten(bare)}; "
                    "add the masks or remove the images."
                )
            if by_stem and isinstance(images, (str, Path)):
                lonely = [path.name for path in by_stem.values()]
                raise InvalidDataError(
                    f"{len(lonely)} masks in {masks} have no image in {images}: {shorten(lonely)}; "
                    "add the images or remove the masks."
                )
