"""Images paired with masks: what all data sets on disk have in common."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from typing_extensions import Self

from lesionseg.data.cache import open_cache
from lesionseg.data.datasets.sample import Batch, Sample, SampleRows, draw_sample
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error, usable
from lesionseg.data.discovery.image_set import Pair as Pair
from lesionseg.data.discovery.names import check_name
from lesionseg.data.io.mask_values import MaskRule
from lesionseg.data.io.reading import check_size, find_rule, read_mask
from lesionseg.data.io.resizing import read_resized, resize_mask
from lesionseg.data.store import Store, StoredSample
from lesionseg.errors import InvalidDataError, shorten

_said: set[str] = set()  # training and validation images have the same masks to talk about


class PairedDataset(Dataset[Sample]):
    """Images with masks, read from disk and resized to the network's size.

    A sample is the dict of :class:`lesionseg.data.Sample`. Base of the data sets on disk. Images,
    masks and ``size`` are as an image viewer shows the files, after EXIF orientation; a mask that
    was drawn on the stored pixels of a sideways image is turned along with it
    (:func:`lesionseg.data.read_mask`).

    What in the masks is lesion is decided once, from the grey values of eight of them: what lies
    above 128, or the one number beside 0 where none is above, such as 1. Whatever is not 0 and 255
    is said; several classes are refused, and so is every mask that does not fit the others when it
    is read. Official data sets keep the official rule, above 128.

    Args:
        pairs: image and mask files; all ids differ.
        size: height and width in pixels of ``image`` and ``mask``.
        with_truth: add ``truth``, the mask at the original size, for scoring.
        on_error: ``skip`` reads every file once now, and leaves out pairs of which one cannot be
            read or whose sizes differ, with a warning that names each and the reason; ``stop``
            raises when such a sample is asked for.
        alone: with ``skip``, files that are left out for another reason, and that reason.
        mask_threshold: lesion is what lies above this grey value, from 0 to 254, in masks of any
            values; None decides.

    Attributes:
        mask_rule: what in the masks is lesion.

    Raises:
        InvalidDataError: if an id comes twice, a file name is not readable text, ``skip`` leaves
            nothing, or the masks' values are ambiguous.
        ValueError: if an argument is out of range.
    """

    #: The rule of a data set whose masks are known; None decides from their values.
    official_rule: ClassVar[MaskRule | None] = None

    def __init__(
        self,
        pairs: Sequence[Pair],
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        on_error: OnError = "stop",
        alone: Mapping[str, str] | None = None,
        mask_threshold: int | None = None,
    ) -> None:
        self.size = check_size(size)
        self.with_truth = with_truth
        self.pairs = list(pairs)
        self._store: Store | None = None
        self._rows: dict[str, int] = {}
        self._check_unique()
        self.mask_rule = self._find_rule(mask_threshold)
        if check_on_error(on_error) == "skip":
            self.pairs = usable(self.pairs, alone or {}, self.mask_rule)

    def _find_rule(self, threshold: int | None) -> MaskRule:
        if threshold is not None:
            if not 0 <= threshold <= 254:
                raise ValueError(f"mask_threshold must be from 0 to 254, got {threshold}")
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
                    f"{seen[pair.id]} and {pair.image} have the same id {pair.id}; remove one."
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
        """Return a data set of the same kind that holds these ids, in this order.

        Raises:
            InvalidDataError: if an id is unknown.
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

        All its images are decoded once, into one memory-mapped file in ``folder``, which later
        runs, workers and processes share; samples are the same bit for bit. Take subsets
        afterwards: they read from the whole set's file. ``truth`` is still read from the mask.

        The file takes 4 bytes for each pixel at the network's size (3 without masks), and belongs
        to the content of the images and masks: copies of them share it, and an edit makes another,
        unless it keeps length and modification time. See
        :func:`lesionseg.data.cache.open_cache`.

        Args:
            folder: of such files, for any number of data sets and sizes; it is made. It may be
                deleted when no run is using it.

        Raises:
            LesionsegError: if the disk has no room for it.
            InvalidDataError: if an image or a mask cannot be read; the message names it.
        """
        files = [(pair.image, pair.mask) for pair in self.pairs]
        other = self.subset(self.ids)
        other._store = open_cache(
            Path(folder).expanduser(), files, self.size, self._record, self.mask_rule
        )
        other._rows = {pair.id: row for row, pair in enumerate(self.pairs)}
        return other

    def _record(self, index: int, channels: int) -> StoredSample:
        """Decode one image and its mask for the cache; no mask is an empty one."""
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

    def __getitem__(self, index: int) -> Sample:
        """Read one sample; the file that cannot be read is named in the error."""
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

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Read the samples of a batch; torch's DataLoader asks for them at once."""
        if self._store is not None:
            return self._read_rows(self._store, indices)
        return [self[index] for index in indices]

    def _read_rows(self, store: Store, indices: Sequence[int]) -> list[Sample]:
        pairs = [self.pairs[index] for index in indices]
        masks = [(pair.mask, pair.image) for pair in pairs if pair.mask is not None]
        if masks and len(masks) < len(pairs):  # such samples make no batch of one form
            return [self[index] for index in indices]
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

    def plot(self, sample: Sample) -> Image.Image:
        """Draw the sample's image with its mask outlined.

        Args:
            sample: an item of this data set.

        Returns:
            RGB image at the sample's size.
        """
        return draw_sample(sample)
