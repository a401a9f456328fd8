"""Find ids that sets share: leaks between training and test images, and revised masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from lesionseg.data.archives import ARCHIVES
from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.data.id_lists import archive_ids, official_ids
from lesionseg.inspection.duplicates import same_ids
from lesionseg.inspection.records import ImageRecord, intersection_over_union

#: Masks of one id with a smaller IoU were revised, not just resized or saved again.
REVISED_BELOW = 0.8


class Overlap(NamedTuple):
    """Ids that a training set shares with an official split of another year.

    Attributes:
        training: Name of the training images, such as ``ISIC 2018 train + val``.
        year: Year of the official split.
        split: The official split.
        here: Number of shared ids among the files; None if the official split's are absent.
        listed: Number of shared ids by the official lists; for other folders, of their files.
        total: Number of ids in the official split's list.
    """

    training: str
    year: int
    split: str
    here: int | None
    listed: int
    total: int

    @property
    def list_name(self) -> str:
        """Name of the official split's id list, such as ``isic2017-test``."""
        return f"isic{self.year}-{self.split}"


class Shared(NamedTuple):
    """Ids of the ISIC archive in two sets that should share none.

    Attributes:
        first: Index of the first set.
        second: Index of the second set.
        ids: Shared ids, sorted.
    """

    first: int
    second: int
    ids: tuple[str, ...]


class Revision(NamedTuple):
    """An id whose mask differs between two sets.

    Attributes:
        first: Index of the first record.
        second: Index of the second record.
        iou: Intersection over union of the two masks at 128 x 128.
    """

    first: int
    second: int
    iou: float


def find_overlaps(sets: Sequence[ImageSet]) -> list[Overlap]:
    """Compare training images with the official splits of other years.

    Training images are those of a year's training and validation splits together, and every folder
    that is not an official split.

    Args:
        sets: All sets.

    Returns:
        An overlap for each official split that shares ids, by the lists or among the files.
    """
    overlaps = []
    for name, year, files, listed in _training_images(sets):
        for other_year, splits in ARCHIVES.items():
            for split in splits if other_year != year else ():
                official = official_ids(other_year, split)
                found = [s.images for s in sets if (s.year, s.split) == (other_year, split)]
                here = len(files & frozenset[str]().union(*found)) if found else None
                if (shared := len(listed & official)) or here:
                    overlaps.append(Overlap(name, other_year, split, here, shared, len(official)))
    return overlaps


def _training_images(
    sets: Sequence[ImageSet],
) -> Iterator[tuple[str, int | None, frozenset[str], frozenset[str]]]:
    """Yield name, year, ids among the files, and ids by the official lists."""
    for year in ARCHIVES:
        of_year = [s for s in sets if s.year == year and s.split != "test" and s.images]
        if of_year:
            splits = sorted({str(image_set.split) for image_set in of_year})
            files = frozenset[str]().union(*(image_set.images for image_set in of_year))
            listed = frozenset[str]().union(*(official_ids(year, split) for split in splits))
            yield f"ISIC {year} {' + '.join(splits)}", year, files, listed
    for image_set in sets:
        if image_set.year is None and (files := archive_ids(image_set.images)):
            yield image_set.name, None, files, files


def find_shared(sets: Sequence[ImageSet]) -> list[Shared]:
    """Find the ids that two splits of one year, or two other folders, share.

    Two copies of one official split, such as at two sizes, are not reported; ids that years share
    are those of :func:`find_overlaps`. Only ids of the ISIC archive count, as equal names of other
    files may mean different images.

    Args:
        sets: All sets.
    """
    shared = []
    for (first, a), (second, b) in combinations(enumerate(sets), 2):
        same_split = a.year is not None and a.split == b.split
        ids = archive_ids(a.images) & archive_ids(b.images)
        if a.year == b.year and not same_split and ids:
            shared.append(Shared(first, second, tuple(sorted(ids))))
    return shared


def find_revisions(records: Sequence[ImageRecord], below: float = REVISED_BELOW) -> list[Revision]:
    """Find the ids of the ISIC archive whose masks differ between two sets.

    Args:
        records: Records of all sets.
        below: Intersection over union, of masks binarized at > 128 and resized to 128 x 128, below
            which a mask counts as revised.

    Returns:
        Revised masks, sorted by intersection over union.
    """
    revisions = []
    for first, second in same_ids(records):
        a, b = records[first].lesion, records[second].lesion
        if a and b and (iou := intersection_over_union(a, b)) < below:
            revisions.append(Revision(first, second, iou))
    return sorted(revisions, key=lambda revision: (revision.iou, revision.first))
