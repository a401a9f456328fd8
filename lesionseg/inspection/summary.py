"""Summarize the images and masks of a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.inspection.records import ImageRecord

#: Bins of the histogram of lesion areas, each a tenth of the image.
BINS = 10


class Sizes(NamedTuple):
    """Sizes of the readable images, (height, width), sorted by number of pixels.

    Attributes:
        smallest: Size with the fewest pixels.
        median: Size that at least half of the images do not exceed.
        largest: Size with the most pixels.
        distinct: Number of distinct sizes.
        aspects: Smallest and largest width divided by height.
    """

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    distinct: int
    aspects: tuple[float, float]


class Areas(NamedTuple):
    """Statistics of the readable masks.

    Attributes:
        quartiles: Minimum, first quartile, median, third quartile and maximum of the lesion's
            fraction of the image, 0 to 1.
        histogram: Number of masks in each tenth of 0 to 1, the last including 1.
        touching: Fraction of masks whose lesion touches the image border.
        empty: Number of masks without lesion.
        full: Number of masks that are entirely lesion.
        gray_masks: Fraction of masks with any pixel other than 0 and 255.
        gray_pixels: Fraction of such pixels, averaged over the masks.
    """

    quartiles: tuple[float, float, float, float, float]
    histogram: tuple[int, ...]
    touching: float
    empty: int
    full: int
    gray_masks: float
    gray_pixels: float


class Summary(NamedTuple):
    """Summary of a set.

    Attributes:
        name: Name of the set.
        images: Number of image files, readable or not.
        masks: Number of mask files, readable or not.
        usable: Number of readable images with a readable mask of their size; without any masks, of
            readable images.
        official: Number of images in the official list; None if it is not an official split.
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


def summarize(image_set: ImageSet, records: Sequence[ImageRecord]) -> Summary:
    """Summarize a set.

    Args:
        image_set: The set.
        records: Records of its ids.
    """
    sizes = [record.size for record in records if record.size]
    mask_sizes = [record.lesion.size if record.lesion else None for record in records]
    usable = (
        sizes
        if image_set.masks is None
        else [
            record.size
            for record, mask_size in zip(records, mask_sizes, strict=True)
            if record.size and record.size == mask_size
        ]
    )
    return Summary(
        name=image_set.name,
        images=len(image_set.images),
        masks=len(image_set.masks or ()),
        usable=len(usable),
        official=image_set.official_count,
        sizes=_sizes(sizes),
        areas=_areas(records),
    )


def _sizes(sizes: Sequence[tuple[int, int]]) -> Sizes | None:
    if not sizes:
        return None
    ranked = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    aspects = [width / height for height, width in sizes]
    return Sizes(
        ranked[0],
        ranked[(len(ranked) - 1) // 2],
        ranked[-1],
        len(set(sizes)),
        (min(aspects), max(aspects)),
    )


def _areas(records: Sequence[ImageRecord]) -> Areas | None:
    lesions = [record.lesion for record in records if record.lesion]
    if not lesions:
        return None
    areas = np.array([lesion.area for lesion in lesions])
    low, first, median, third, high = np.percentile(areas, [0, 25, 50, 75, 100]).tolist()
    histogram, _ = np.histogram(areas, BINS, (0, 1))
    return Areas(
        quartiles=(low, first, median, third, high),
        histogram=tuple(histogram.tolist()),
        touching=sum(lesion.touches_border for lesion in lesions) / len(lesions),
        empty=int((areas == 0).sum()),
        full=int((areas == 1).sum()),
        gray_masks=sum(lesion.gray > 0 for lesion in lesions) / len(lesions),
        gray_pixels=sum(lesion.gray for lesion in lesions) / len(lesions),
    )
