"""Images paired with masks: the base of all data sets on disk."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from typing_extensions import Self

from lesionseg._moved import renamed_arguments
from lesionseg.data.cache import open_cache
from lesionseg.data.datasets.base import LesionDataset
from lesionseg.data.datasets.sample import Batch, Sample, SampleRows
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error, usable
from lesionseg.data.discovery.image_set import Pair as Pair
from lesionseg.data.discovery.names import check_name
from lesionseg.data.io.mask_values import MaskRule
from lesionseg.data.io.reading import check_size, find_rule, read_mask
from lesionseg.data.io.resizing import read_resized, resize_mask
from lesionseg.data.store import Store, StoredSample
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import InvalidDataError, shorten

_said: set[str] = set()  # training and validation images often have masks of one folder


class PairedDataset(LesionDataset):
    """Images with masks, read from disk and resized to the network's size.

    Images, masks and ``size`` are as an image viewer shows the files, after EXIF orientation; a
    mask that was drawn on the stored pixels of a sideways image is turned along with it
    (:func:`lesionseg.data.read_mask`).

    The gray values of eight masks determine which values are lesion: values above 128, or, if there
    are none, the only value other than 0, such as 1. Values other than 0 and 255 are reported;
    masks of several classes are an error, and so is every mask that does not fit the others when it
    is read. Official data sets keep the official rule, above 128.

    Args:
        pairs: Image and mask files with distinct ids.
        size: Height and width in pixels of ``image`` and ``mask``.
        with_truth: Whether to add ``truth``, the mask at the original size, for scoring.
        on_error: ``skip`` reads every file once now and skips pairs that cannot be read or whose
            sizes differ, with a warning that lists each and the reason; ``stop`` raises an error
            when such a sample is read.
        unpaired: With ``skip``, reasons by names of files that are skipped already.
        mask_threshold: Gray value, 0 to 254, above which masks of any values are lesion; None
            determines it from the masks.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every image and mask after reading; see :class:`LesionDataset`.

    Attributes:
        mask_rule: Which values of the masks are lesion.

    Raises:
        InvalidDataError: If an id occurs twice, a file name is not valid text, ``skip`` leaves
            nothing, or the masks' values are ambiguous.
        ValueError: If an argument is out of range.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     image, mask = Path(folder, "a.jpg"), Path(folder, "a.png")
        ...     Image.new("RGB", (80, 60)).save(image)
        ...     Image.new("L", (80, 60), 255).save(mask)
        ...     sample = PairedDataset([Pair("a", image, mask)], size=(24, 32))[0]
        >>> sample["image"].shape, sample["mask"].unique(), sample["size"]
        (torch.Size([3, 24, 32]), tensor([1.]), (60, 80))
    """

    #: Which values are lesion, if known; None determines it from the masks.
    official_rule: ClassVar[MaskRule | None] = None

    @renamed_arguments(alone="unpaired")
    def __init__(
        self,
        pairs: Sequence[Pair],
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        on_error: OnError = "stop",
        unpaired: Mapping[str, str] | None = None,
        mask_threshold: int | None = None,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(with_truth, transforms)
        self.size = check_size(size)
        self.pairs = list(pairs)
        self._store: Store | None = None
        self._rows: dict[str, int] = {}
        self._check_unique()
        self.mask_rule = self._find_rule(mask_threshold)
        if check_on_error(on_error) == "skip":
            self.pairs = usable(self.pairs, unpaired or {}, self.mask_rule)

    def _find_rule(self, threshold: int | None) -> MaskRule:
        if threshold is not None:
            if not 0 <= threshold <= 254:
                raise ValueError(f"expected mask_threshold to be 0 to 254, got {threshold}")
            return MaskRule(threshold, checked=False)
        if self.official_rule is not None:
            return self.official_rule
        masks = [pair.mask for pair in self.pairs if pair.mask is not None]
        rule = find_rule(masks)
        if rule.is_usual:
            return rule
        if (said := f"The masks in {masks[0].parent} hold {rule}.") not in _said:
            from lightning.pytorch.utilities import rank_zero_info  # slow to import

            _said.add(said)
            rank_zero_info(said)
        return rule

    def _check_unique(self) -> None:
        seen: dict[str, Path] = {}
        for pair in self.pairs:
            check_name(pair.image)
            if pair.id in seen:
                raise InvalidDataError(
                    f"{seen[pair.id]} and {pair.image} have the same id {pair.id}; "
                    "remove or rename a file."
                )
            seen[pair.id] = pair.image

    @property
    def ids(self) -> list[str]:
        """Names of the images, in the order of the items."""
        return [pair.id for pair in self.pairs]

    @property
    def files(self) -> list[Path]:
        """Every image and mask file."""
        return [path for pair in self.pairs for path in (pair.image, pair.mask) if path is not None]

    def subset(self, ids: Iterable[str]) -> Self:
        """Return a data set of the images with these ids, in this order.

        Raises:
            InvalidDataError: If an id is unknown.
        """
        by_id = {pair.id: pair for pair in self.pairs}
        ids = list(ids)
        if unknown := [id_ for id_ in ids if id_ not in by_id]:
            raise InvalidDataError(
                f"{len(unknown)} of {len(ids)} ids are not in this data set of {len(self)} images: "
                f"{shorten(unknown)}; check that the id list belongs to this data set."
            )
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.pairs = [by_id[id_] for id_ in ids]
        other._check_unique()
        return other

    def cached(self, folder: str | Path) -> Self:
        """Return the same data set, read from a file of decoded images and masks.

        All images are decoded once, into a memory-mapped file in ``folder`` that later runs,
        workers and processes share; samples are bit-identical. Take subsets afterwards: they read
        the file of the whole set. ``truth`` is still read from the mask, and transforms are applied
        to what is read from the cache.

        The file takes 4 bytes for each pixel at the network's size (3 without masks). It is built
        again if the path, size or modification time of an image or mask changes; see
        :func:`lesionseg.data.cache.open_cache`.

        Args:
            folder: Folder of such files, for any number of data sets and sizes; created if absent.
                It may be deleted when no run is using it.

        Raises:
            LesionsegError: If the disk has not enough space.
            InvalidDataError: If an image or a mask cannot be read.
        """
        files = [(pair.image, pair.mask) for pair in self.pairs]
        other = self.subset(self.ids)
        other._store = open_cache(
            Path(folder).expanduser(), files, self.size, self._record, self.mask_rule
        )
        other._rows = {pair.id: row for row, pair in enumerate(self.pairs)}
        return other

    def _record(self, index: int, channels: int) -> StoredSample:
        """Decode an image and its mask for the cache; without a mask it is empty."""
        pair = self.pairs[index]
        pixels = np.zeros((channels, *self.size), np.uint8)
        image, original = read_resized(pair.image, self.size)
        pixels[:3] = image.numpy()
        if pair.mask is not None:
            mask = read_mask(pair.mask, original, pair.image, self.mask_rule)
            pixels[3:] = resize_mask(mask, self.size).numpy()
        return pixels, original

    def __len__(self) -> int:
        return len(self.pairs)

    def read_sample(self, index: int) -> Sample:
        """Read a sample without transforms.

        Raises:
            InvalidDataError: If a file cannot be read.
        """
        if self._store is not None:
            return self._read_rows(self._store, [index])[0]
        pair = self.pairs[index]
        image, original = read_resized(pair.image, self.size)
        sample = Sample(image=image.float() / 255, id=pair.id, size=original)
        if pair.mask is not None:
            mask = read_mask(pair.mask, original, pair.image, self.mask_rule)
            sample["mask"] = resize_mask(mask, self.size)
            if self.with_truth:
                sample["truth"] = torch.from_numpy(mask)
        return sample

    def read_samples(self, indices: Sequence[int]) -> list[Sample]:
        """Read several samples without transforms."""
        if self._store is not None:
            return self._read_rows(self._store, indices)
        return super().read_samples(indices)

    def _read_rows(self, store: Store, indices: Sequence[int]) -> list[Sample]:
        pairs = [self.pairs[index] for index in indices]
        masks = [(pair.mask, pair.image) for pair in pairs if pair.mask is not None]
        if masks and len(masks) < len(pairs):  # they do not fit into a batch
            return super().read_samples(indices)
        rows = [self._rows[pair.id] for pair in pairs]
        sizes = [store.size(row) for row in rows]
        batch = Batch(image=store.images(rows), id=[pair.id for pair in pairs], size=sizes)
        if masks:
            batch["mask"] = store.masks(rows)
        if masks and self.with_truth:
            batch["truth"] = [
                torch.from_numpy(read_mask(mask, size, image, self.mask_rule))
                for (mask, image), size in zip(masks, sizes, strict=True)
            ]
        return SampleRows(batch)
