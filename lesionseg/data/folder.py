"""Anyone's images and masks."""

from collections.abc import Sequence
from pathlib import Path

from lesionseg.data.leaving_out import OnError, check_on_error
from lesionseg.data.listing import IMAGE_SUFFIXES, list_files, stem_of, strip_ending
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
    image_stems = {stem_of(path) for path in images}
    image_files = {path.resolve() for path in images}
    found: dict[str, Path] = {}
    for path in list_files(masks, "masks"):
        if path.resolve() in image_files:
            continue
        stem = stem_of(path)
        stem = stem if stem in image_stems else strip_ending(stem)
        if stem in found:
            raise InvalidDataError(
                f"The masks {found[stem]} and {path} belong to the same image; remove one."
            )
        found[stem] = path
    return found


class FolderDataset(PairedDataset):
    """Images in a folder or a list, with or without masks.

    An image and its mask have the same file stem; the mask's may also end in ``_segmentation``,
    ``_mask`` or ``_lesion``. The stem is the id, in Unicode's composed form (NFC), whichever form
    the file names have. Sub-folders are not searched.

    Args:
        images: folder of images, or their paths.
        masks: folder of masks; None for images without masks.
        size: height and width in pixels of ``image`` and ``mask``.
        with_truth: add ``truth``, the mask at the original size.
        on_error: ``stop``, or ``skip``, which reads every file once now and leaves out, with a
            warning that names each and the reason: images and masks that cannot be read, pairs of
            two sizes, images without mask, masks without image.
        mask_threshold: lesion is what lies above this grey value of the masks; None decides from
            their values, see :class:`lesionseg.data.PairedDataset`.

    Raises:
        DatasetNotFoundError: if a folder or a listed file does not exist, or holds no images.
        InvalidDataError: if an image has no mask or two, a mask in a folder has no image in the
            other folder, or two images have the same stem; with ``skip`` only if there are two of
            one stem, or nothing is left.
        ValueError: if ``on_error`` or ``size`` is out of range.
    """

    def __init__(
        self,
        images: str | Path | Sequence[str | Path],
        masks: str | Path | None = None,
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        on_error: OnError = "stop",
        mask_threshold: int | None = None,
    ) -> None:
        masks = None if masks is None else Path(masks).expanduser()
        skip = check_on_error(on_error) == "skip"
        if isinstance(images, (str, Path)):
            paths = _images_in(Path(images).expanduser(), masks)
        else:
            paths = [Path(path).expanduser() for path in images]
            missing = [str(path) for path in paths if not path.is_file()]
            if missing and not skip:
                raise DatasetNotFoundError(f"No such image: {shorten(missing)}; check the path.")
        by_stem = {} if masks is None else _masks_by_stem(masks, paths)
        pairs = [Pair(stem_of(path), path, by_stem.get(stem_of(path))) for path in paths]
        bare, lonely = [], []
        if masks is not None:
            bare = [pair.image.name for pair in pairs if pair.mask is None]
            if isinstance(images, (str, Path)):
                taken = {pair.id for pair in pairs}
                lonely = [path.name for stem, path in by_stem.items() if stem not in taken]
            if skip:
                pairs = [pair for pair in pairs if pair.mask is not None]
        alone = dict.fromkeys(bare, f"It has no mask in {masks}.")
        alone |= dict.fromkeys(lonely, f"It has no image in {images}.")
        super().__init__(pairs, size, with_truth, on_error, alone, mask_threshold)
        if skip:
            return
        if bare:
            raise InvalidDataError(
                f"{len(bare)} of {len(self)} images have no mask in {masks}: {shorten(bare)}; "
                "add the masks or remove the images."
            )
        if lonely:
            raise InvalidDataError(
                f"{len(lonely)} masks in {masks} have no image in {images}: {shorten(lonely)}; "
                "add the images or remove the masks."
            )
