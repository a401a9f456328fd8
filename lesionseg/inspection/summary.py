"""Sizes of the images and of the lesions of one set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.inspection.records import Record

#: Classes of the lesions' share of the image, of a tenth each.
BINS = 10


class Sizes(NamedTuple):
    """Sizes of the readable images, (height, width), by their number of pixels.

    Attributes:
        smallest: Of the fewest pixels.
        median: Half of the images have no more pixels.
        largest: Of the most pixels.
        distinct: How many sizes there are.
        aspects: Smallest and largest width divided by height.
    """

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    distinct: int
    aspects: tuple[float, float]


class Areas(NamedTuple):
    """Of the readable masks.

    Attributes:
        quartiles: Smallest, first quartile, median, third quartile and largest share of lesion in
            the image, 0 to 1.
        histogram: Number of masks in each tenth of 0 to 1; a whole image counts to the last.
        touching: Share of the masks whose lesion touches the image's border.
        empty: Number of masks without lesion.
        full: Number of masks that are all lesion.
        grey_masks: Share of the masks that have any pixel other than 0 and 255.
        grey_pixels: Share of such pixels, mean over the masks.
    """

    quartiles: tuple[float, float, float, float, float]
    histogram: tuple[int, ...]
    touching: float
    empty: int
    full: int
    grey_masks: float
    grey_pixels: float


class Summary(NamedTuple):
    """Of one set.

    Attributes:
        name: Of the set.
        images: Number of image files, readable or not.
        masks: Number of mask files, readable or not.
        usable: Number of readable images with a readable mask of their size; where there are no
            masks at all, of readable images.
        official: Number of images in the official list; None if it is no official split.
        sizes: None if no image can be read.
        areas: None if no mask can be read.
    """

    name: str
    images: int
    masks: int
    usable: int
    official: int | None
    sizes: Sizes | None
    areas: Areas | None


def summarise(one: ImageSet, records: Sequence[Record]) -> Summary:
    """Summarise a set.

    Args:
        one: The set.
        records: Of its ids.
    """
    return Summary(
        name=one.name,
        images=len(one.images),
        masks=len(one.masks or ()),
        usable=sum(_is_usable(record, one.masks is not None) for record in records),
        official=one.official_count,
        sizes=_sizes([record.size for record in records if record.size is not None]),
        areas=_areas(records),
    )


def _is_usable(record: Record, with_mask: bool) -> bool:
    mask_size = record.lesion.size if record.lesion is not None else None
    return record.size is not None and (not with_mask or record.size == mask_size)


def _sizes(sizes: Sequence[tuple[int, int]]) -> Sizes | None:
    if not sizes:
        return None
    ranked = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    aspects = [width / height for height, width in sizes]
    return Sizes(
        ranked[0],
        ranked[(len(ranked) - 1) // 2],
        ranked[-1],
        len(Counter(sizes)),
        (min(aspects), max(aspects)),
    )


def _areas(records: Sequence[Record]) -> Areas | None:
    lesions = [record.lesion for record in records if record.lesion is not None]
    if not lesions:
        return None
    areas = np.array([one.area for one in lesions])
    low, first, median, third, high = np.percentile(areas, [0, 25, 50, 75, 100]).tolist()
    histogram, _ = np.histogram(areas, BINS, (0, 1))
    return Areas(
        quartiles=(low, first, median, third, high),
        histogram=tuple(histogram.tolist()),
        touching=sum(one.touches for one in lesions) / len(lesions),
        empty=int((areas == 0).sum()),
        full=int((areas == 1).sum()),
        grey_masks=sum(one.grey > 0 for one in lesions) / len(lesions),
        grey_pixels=sum(one.grey for one in lesions) / len(lesions),
    )
