"""The same ids in several sets: who has seen whose test images, and whose masks were revised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from lesionseg.data.archives import ARCHIVES
from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.data.id_lists import archive_ids, official_ids
from lesionseg.errors import shorten
from lesionseg.inspection.duplicates import same_ids
from lesionseg.inspection.records import Record, intersection_over_union

#: Masks of one id that overlap less than this were revised, rather than saved or resized again.
REVISED_BELOW = 0.8


class Overlap(NamedTuple):
    """Ids that a training set shares with an official split of another year.

    Attributes:
        training: Name of what is trained on, such as ``ISIC 2018 train + val``.
        year: Of the other split.
        split: Of the other split.
        here: Ids in common among the files; None if the other split's are not here.
        listed: Ids in common by the official lists; those of the files of a folder of one's own.
        total: Ids in the other split's list.
    """

    training: str
    year: int
    split: str
    here: int | None
    listed: int
    total: int

    @property
    def list_name(self) -> str:
        """Name of the other split's id list, such as ``isic2017-test``."""
        return f"isic{self.year}-{self.split}"


class Shared(NamedTuple):
    """Ids of the ISIC archive that two sets have which should have none in common.

    Attributes:
        first: Place of a set.
        second: Place of the other.
        ids: Of images, sorted.
    """

    first: int
    second: int
    ids: tuple[str, ...]


class Revision(NamedTuple):
    """One id whose mask differs between two sets.

    Attributes:
        first: Index of a record.
        second: Index of the other.
        iou: Intersection over union of the two masks at 128 x 128.
    """

    first: int
    second: int
    iou: float


def find_overlaps(sets: Sequence[ImageSet]) -> list[Overlap]:
    """Compare what is trained on with the official splits of the other years.

    Trained on are the training and validation images of a year together (its test images are not),
    and every folder of one's own.

    Args:
        sets: Of all paths.

    Returns:
        One for each two that share an id, by the lists or among the files.
    """
    overlaps = []
    for name, year, files, listed in _trained_on(sets):
        for other, splits in ARCHIVES.items():
            for split in splits if other != year else ():
                official = official_ids(other, split)
                there = [one for one in sets if (one.year, one.split) == (other, split)]
                here = frozenset[str]().union(*(one.images for one in there))
                overlap = Overlap(
                    name,
                    other,
                    split,
                    len(files & here) if there else None,
                    len(listed & official),
                    len(official),
                )
                if overlap.listed or overlap.here:
                    overlaps.append(overlap)
    return overlaps


def _trained_on(
    sets: Sequence[ImageSet],
) -> Iterator[tuple[str, int | None, frozenset[str], frozenset[str]]]:
    """Name, year, ids among the files and ids by the official lists."""
    for year in ARCHIVES:
        mine = [one for one in sets if one.year == year and one.split != "test" and one.images]
        if mine:
            splits = sorted({str(one.split) for one in mine})
            files = frozenset[str]().union(*(one.images for one in mine))
            listed = frozenset[str]().union(*(official_ids(year, split) for split in splits))
            yield f"ISIC {year} {' + '.join(splits)}", year, files, listed
    for one in sets:
        if one.year is None and (files := archive_ids(one.images)):
            yield one.name, None, files, files


def find_shared(sets: Sequence[ImageSet]) -> list[Shared]:
    """Find the ids that splits of one year, or folders of one's own, have in common.

    Two copies of one official split, at two sizes perhaps, are no finding; what years share is that
    of :func:`find_overlaps`. Other names than the archive's may mean other images.

    Args:
        sets: Of all paths.
    """
    found = []
    for (first, one), (second, other) in combinations(enumerate(sets), 2):
        same_split = one.year is not None and one.split == other.split
        if one.year == other.year and not same_split:
            ids = archive_ids(one.images) & archive_ids(other.images)
            if ids:
                found.append(Shared(first, second, tuple(sorted(ids))))
    return found


def shared_sentences(sets: Sequence[ImageSet], shared: Sequence[Shared]) -> list[str]:
    """One sentence for each held-out set that has images of a training set."""
    sentences = []
    for first, second, ids in shared:
        training, held = sorted((sets[first], sets[second]), key=lambda one: one.split != "train")
        if training.split == "train" and held.split in ("val", "test"):
            sentences.append(
                f"{len(ids)} of {held.name} are in {training.name} too, which makes scores on "
                f"{held.name} look too good. Take them out of one of the two ({shorten(ids)})"
            )
    return sentences


def leak_sentences(overlaps: Sequence[Overlap]) -> list[str]:
    """What it means that test images of other years are trained on, and the option that mends it.

    Returns:
        One text for each training set that holds test images of another year.
    """
    leaks: dict[str, list[Overlap]] = {}
    for one in overlaps:
        if one.split == "test" and one.listed:
            leaks.setdefault(one.training, []).append(one)
    sentences = []
    for training, tests in leaks.items():
        seen = " and ".join(
            f"{one.listed} of the {one.total} test images of ISIC {one.year}" for one in tests
        )
        names = [one.list_name for one in tests]
        option = names[0] if len(names) == 1 else f"'[{','.join(names)}]'"
        sentences.append(
            f"A model trained on all of {training} has seen {seen}: a leak if it is tested on "
            f"them. Leave them out of training with --data.exclude {option}"
        )
    return sentences


def find_revisions(records: Sequence[Record], below: float = REVISED_BELOW) -> list[Revision]:
    """Find the ids of the ISIC archive whose masks in two sets overlap little.

    Args:
        records: Of all sets.
        below: Intersection over union, of masks binarised at > 128 and brought to 128 x 128, under
            which a mask counts as revised.

    Returns:
        Those of the least overlap first.
    """
    found = []
    for first, second in same_ids(records):
        one, other = records[first].lesion, records[second].lesion
        if one is not None and other is not None:
            iou = intersection_over_union(one, other)
            if iou < below:
                found.append(Revision(first, second, iou))
    return sorted(found, key=lambda revision: (revision.iou, revision.first))
