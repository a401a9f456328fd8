"""Images and masks of any user."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lesionseg.data.datasets.paired import Pair, PairedDataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.discovery.image_set import ImageSet, check_unique
from lesionseg.data.discovery.names import (
    HOW_NAMES_MATCH,
    IMAGE_SUFFIXES,
    nearest_misses,
    other_files,
)
from lesionseg.data.discovery.sources import Sources, as_list, names_of, scan_images, scan_pairs
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten


class FolderDataset(PairedDataset):
    """Images in folders, patterns or lists, with or without masks.

    An image and its mask have the same file stem; the mask's may also end in ``_segmentation``,
    ``_seg``, ``_mask``, ``_gt``, ``_label``, ``_lesion`` or the like, or begin so (``mask_a.png``),
    and the image's in ``_0000`` (nnU-Net), ``_image`` or ``_orig``. The image's stem is the id, in
    Unicode's composed form (NFC), whichever form the file names have. The folders in a folder are
    searched, two deep, only where it holds no image itself.

    Args:
        images: folder of images, image file, pattern (``photos/*_a.jpg``), ``.txt`` file of paths,
            or several of these; or an
            :class:`~lesionseg.data.discovery.image_set.ImageSet` that was found.
        masks: the same of masks, which may lie in the folder of the images; None for images
            without masks, which leaves out masks that lie beside them.
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
            one stem, or nothing is left. The message says what was found, how names are matched
            and which names nearly match.
        ValueError: if ``on_error`` or ``size`` is out of range.
    """

    def __init__(
        self,
        images: Sources | ImageSet,
        masks: Sources | None = None,
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        on_error: OnError = "stop",
        mask_threshold: int | None = None,
    ) -> None:
        skip = check_on_error(on_error) == "skip"
        if isinstance(images, ImageSet):
            found, image_place = images, _places(images.images.values())
            mask_place = _places((images.masks or {}).values()) or image_place
        else:
            found = scan_images(images) if masks is None else scan_pairs(images, masks)
            image_place = names_of(as_list(images))
            mask_place = "" if masks is None else names_of(as_list(masks))
        if not found.images:
            folders = [] if isinstance(images, ImageSet) else as_list(images)
            held = "; ".join(other_files(path) for path in folders if path.is_dir())
            raise DatasetNotFoundError(
                f"The folder {image_place} holds no images ({', '.join(IMAGE_SUFFIXES)}), only "
                f"{held or 'nothing'}; check the path."
            )
        check_unique(found)
        for what, files in (("image", found.images), ("mask", found.masks or {})):
            missing = [str(path) for path in files.values() if not path.exists()]
            if missing and not skip:
                raise DatasetNotFoundError(f"No such {what}: {shorten(missing)}; check the path.")
        truth = found.masks
        pairs = [
            Pair(id_, path, (truth or {}).get(id_))
            for id_, path in found.images.items()
            if not skip or truth is None or id_ in truth
        ]
        bare = found.without_mask
        lonely = [] if found.is_selection else found.without_image
        alone = dict.fromkeys((path.name for path in bare), f"It has no mask in {mask_place}.")
        alone |= dict.fromkeys((path.name for path in lonely), f"It has no image in {image_place}.")
        super().__init__(pairs, size, with_truth, on_error, alone, mask_threshold)
        if skip:
            return
        if bare:
            raise InvalidDataError(
                f"{len(bare)} of {len(self)} images have no mask in {mask_place}: "
                f"{shorten(path.name for path in bare)}; {_explain(found)}; add or rename the "
                "masks, or remove the images."
            )
        if lonely:
            raise InvalidDataError(
                f"{len(lonely)} masks in {mask_place} have no image in {image_place}: "
                f"{shorten(path.name for path in lonely)}; {_explain(found)}; add or rename the "
                "images, or remove the masks."
            )


def _explain(found: ImageSet) -> str:
    """Say what was found, how names are matched and which nearly match."""
    masks = list((found.masks or {}).values())
    misses = nearest_misses(
        [path.name for path in found.without_mask], [path.name for path in found.without_image]
    )
    return (
        f"found {_count(found.images.values(), 'images')} and {_count(masks, 'masks')}; "
        + (f"nearest misses: {misses}; " if misses else "")
        + HOW_NAMES_MATCH
    )


def _count(paths: Iterable[Path], what: str) -> str:
    suffixes = Counter(path.suffix.lower() for path in paths)
    if not suffixes:
        return f"no {what}"
    return f"{suffixes.total()} {what} ({', '.join(sorted(suffixes))})"


def _places(paths: Iterable[Path]) -> str:
    return shorten(dict.fromkeys(str(path.parent) for path in paths), last="and")
