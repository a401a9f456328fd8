"""Images paired with masks: what all data sets on disk have in common."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch.utils.data import Dataset
from typing_extensions import Self

from lesionseg.data.reading import check_size, read_image, read_mask, resize_image, resize_mask
from lesionseg.data.sample import Sample, draw_sample
from lesionseg.errors import InvalidDataError, shorten


class Pair(NamedTuple):
    """One image file and its mask file, None where there is none."""

    id: str
    image: Path
    mask: Path | None


class PairedDataset(Dataset[Sample]):
    """Images with masks, read from disk and resized to the network's size.

    A sample is the dict of :class:`lesionseg.data.Sample`. Base of the data sets on disk.

    Args:
        pairs: image and mask files; all ids differ.
        size: height and width in pixels of ``image`` and ``mask``.
        with_truth: add ``truth``, the mask file's grey values at the original size, for scoring.

    Raises:
        InvalidDataError: if an id comes twice.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
    ) -> None:
        self.size = check_size(size)
        self.with_truth = with_truth
        self.pairs = list(pairs)
        self._check_unique()

    def _check_unique(self) -> None:
        seen: dict[str, Path] = {}
        for pair in self.pairs:
            if pair.id in seen:
                raise InvalidDataError(
                    f"{seen[pair.id]} and {pair.image} have the same id {pair.id}; remove one."
                )
            seen[pair.id] = pair.image

    @property
    def ids(self) -> list[str]:
        """Names of the images, in the order of the items."""
        return [pair.id for pair in self.pairs]

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

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample; the file that cannot be read is named in the error."""
        pair = self.pairs[index]
        image = read_image(pair.image)
        original = (image.height, image.width)
        sample = Sample(
            image=resize_image(image, self.size).float() / 255, id=pair.id, size=original
        )
        if pair.mask is not None:
            mask = read_mask(pair.mask, original)
            sample["mask"] = resize_mask(mask, self.size)
            if self.with_truth:
                sample["truth"] = torch.from_numpy(mask)
        return sample

    def plot(self, sample: Sample) -> Image.Image:
        """Draw the sample's image with its mask outlined.

        Args:
            sample: an item of this data set.

        Returns:
            RGB image at the sample's size.
        """
        return draw_sample(sample)
