"""Images and masks in folders."""

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
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten


class FolderDataset(PairedDataset):
    """Images in folders, patterns or lists, with or without masks.

    An image and its mask have the same file stem; the mask's may also end in ``_segmentation``,
    ``_seg``, ``_mask``, ``_gt``, ``_label``, ``_lesion`` or similar, or begin so (``mask_a.png``),
    and the image's may end in ``_0000`` (nnU-Net), ``_image`` or ``_orig``. The image's stem in
    Unicode's composed form (NFC) is the id. Subfolders, up to two levels deep, are searched if a
    folder contains no image itself.

    Args:
        images: Folder of images, image file, pattern (``photos/*_a.jpg``), ``.txt`` file of paths,
            or several of these; or an :class:`~lesionseg.data.discovery.image_set.ImageSet`.
        masks: The same of masks, which may be in the folder of the images; None for images without
            masks, which ignores masks beside them.
        size: Height and width in pixels of ``image`` and ``mask``.
        with_truth: Whether to add ``truth``, the mask at the original size.
        on_error: ``stop``, or ``skip``, which reads every file once now and skips, with a warning
            that lists each and the reason: images and masks that cannot be read, pairs of different
            sizes, images without mask, masks without image.
        mask_threshold: Gray value above which masks are lesion; None determines it from the masks,
            see :class:`lesionseg.data.PairedDataset`.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every image and mask after reading; see :class:`lesionseg.data.LesionDataset`.

    Raises:
        DatasetNotFoundError: If a folder or a listed file does not exist, or there are no images.
        InvalidDataError: If an image has no mask or two, a mask in a folder has no image, or two
            images have the same stem; with ``skip`` only if two have the same stem or nothing is
            left. The message lists what was found and names that nearly match.
        ValueError: If ``on_error`` or ``size`` is out of range.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (80, 60)).save(Path(folder, "a.jpg"))
        ...     Image.new("L", (80, 60), 255).save(Path(folder, "a_mask.png"))
        ...     data = FolderDataset(folder, folder, size=(24, 32))
        ...     print(data.ids, data[0]["mask"].shape)
        ['a'] torch.Size([1, 24, 32])
    """

    def __init__(
        self,
        images: Sources | ImageSet,
        masks: Sources | None = None,
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        on_error: OnError = "stop",
        mask_threshold: int | None = None,
        transforms: Transforms | None = None,
    ) -> None:
        skip = check_on_error(on_error) == "skip"
        if isinstance(images, ImageSet):
            found, image_source = images, _folders(images.images.values())
            mask_source = _folders((images.masks or {}).values()) or image_source
        else:
            found = scan_images(images) if masks is None else scan_pairs(images, masks)
            image_source = names_of(as_list(images))
            mask_source = "" if masks is None else names_of(as_list(masks))
        if not found.images:
            folders = [] if isinstance(images, ImageSet) else as_list(images)
            held = "; ".join(other_files(path) for path in folders if path.is_dir())
            raise DatasetNotFoundError(
                f"the folder {image_source} has no images ({', '.join(IMAGE_SUFFIXES)}), only "
                f"{held or 'nothing'}; check the path."
            )
        check_unique(found)
        for what, files in (("image", found.images), ("mask", found.masks or {})):
            missing = [str(path) for path in files.values() if not path.exists()]
            if missing and not skip:
                raise DatasetNotFoundError(f"no such {what}: {shorten(missing)}; check the path.")
        truth = found.masks
        pairs = [
            Pair(id_, path, (truth or {}).get(id_))
            for id_, path in found.images.items()
            if not skip or truth is None or id_ in truth
        ]
        no_mask = found.without_mask
        no_image = [] if found.is_selection else found.without_image
        unpaired = {path.name: f"it has no mask in {mask_source}." for path in no_mask}
        unpaired |= {path.name: f"it has no image in {image_source}." for path in no_image}
        super().__init__(pairs, size, with_truth, on_error, unpaired, mask_threshold, transforms)
        if skip:
            return
        if no_mask:
            raise InvalidDataError(
                f"{len(no_mask)} of {len(self)} images have no mask in {mask_source}: "
                f"{shorten(path.name for path in no_mask)}; {_explain(found)}; add or rename the "
                "masks, or remove the images."
            )
        if no_image:
            raise InvalidDataError(
                f"{len(no_image)} masks in {mask_source} have no image in {image_source}: "
                f"{shorten(path.name for path in no_image)}; {_explain(found)}; add or rename the "
                "images, or remove the masks."
            )


def _explain(found: ImageSet) -> str:
    """Describe what was found, how names are matched and which nearly match."""
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


def _folders(paths: Iterable[Path]) -> str:
    return shorten(dict.fromkeys(str(path.parent) for path in paths), last="and")
