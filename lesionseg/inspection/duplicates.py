"""Images that come twice, under one id or under two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionseg.data.id_lists import archive_ids
from lesionseg.inspection.hashing import LEAST_CORRELATION, Hash, close_pairs, normalised
from lesionseg.inspection.records import Record


class Duplicates(NamedTuple):
    """Records of one picture that have different ids.

    Attributes:
        members: Indices of the records, sorted.
        bits: In how many bits of their hashes two of them differ at most.
    """

    members: tuple[int, ...]
    bits: int


def find_duplicates(records: Sequence[Record]) -> list[Duplicates]:
    """Group the records whose images look the same.

    Two images do if their perceptual hashes differ in at most 10 of 64 bits and their grey pictures
    of 32 x 32 correlate by 0.96 or more. Chosen by looking at the pairs in the ISIC sets of 2016 to
    2018: see *How copies are found* in the documentation.

    Ids of the ISIC archive mean the same image in every set: a group that holds one such id only
    is no finding. File names of other sets mean nothing elsewhere.

    Args:
        records: Of all sets.

    Returns:
        Groups of at least two ids, those of the fewest bits first.
    """
    readable = [index for index, one in enumerate(records) if one.look is not None]
    looks = [one.look for one in records if one.look is not None]
    if not looks:
        return []
    # Many equal images, such as blank ones, would make pairs by the million.
    greys, first, kind = np.unique(
        np.stack([look.grey for look in looks]), axis=0, return_index=True, return_inverse=True
    )
    labels, bits = _link(np.stack([looks[index].hash for index in first]), normalised(greys))
    groups: dict[int, list[int]] = {}
    for index, label in zip(readable, labels[kind.reshape(-1)].tolist(), strict=True):
        groups.setdefault(label, []).append(index)
    found = [
        Duplicates(tuple(members), int(bits[labels == label].max()))
        for label, members in groups.items()
        if len({key_of(records[index]) for index in members}) > 1
    ]
    return sorted(found, key=lambda group: (group.bits, group.members))


def _link(
    hashes: Hash, rows: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each picture the number of its group, and the bits to the farthest that it is like."""
    count = len(hashes)
    bits = np.zeros(count, np.int64)
    links = np.zeros((0, 2), np.int64)
    for pairs in close_pairs(hashes):
        (left, one), (right, other) = (
            np.unique(pairs[:, side], return_inverse=True) for side in (0, 1)
        )
        correlations = (rows[left] @ rows[right].T)[one, other]
        alike = pairs[correlations >= LEAST_CORRELATION]
        for side in (0, 1):
            np.maximum.at(bits, alike[:, side], alike[:, 2])
        links = np.concatenate([links, alike[:, :2]])
        if len(links) > 8 * count:  # thousands of pictures that are all alike
            _, first, label = np.unique(
                _components(links, count), return_index=True, return_inverse=True
            )
            links = np.stack([first[label], np.arange(count)], axis=1)
    return _components(links, count), bits


def _components(links: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, np.int64)


def key_of(record: Record) -> Hashable:
    """What tells pictures apart by name: the archive's id, or the set and the file's stem."""
    (archive_id,) = archive_ids([record.id]) or [None]
    return archive_id or (record.place, record.id)


def count_copies(
    records: Sequence[Record], duplicates: Sequence[Duplicates]
) -> dict[tuple[int, int], int]:
    """Count for each two sets the images of the first with a copy of other id in the second.

    Returns:
        Counts above 0 by the sets' places; (a, a) for copies within a set.
    """
    counts: Counter[tuple[int, int]] = Counter()
    for group in duplicates:
        members = [records[index] for index in group.members]
        sizes = Counter(one.place for one in members)
        same = Counter((one.place, key_of(one)) for one in members)
        for one in members:
            for place, size in sizes.items():
                counts[one.place, place] += size > same[place, key_of(one)]
    return {places: count for places, count in sorted(counts.items()) if count}


def same_ids(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Pairs of records of one id of the ISIC archive, in different sets, by id and set."""
    by_id: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        for archive_id in archive_ids([record.id]):
            by_id.setdefault(archive_id, []).append(index)
    for _, indices in sorted(by_id.items()):
        for number, first in enumerate(indices):
            for second in indices[number + 1 :]:
                yield first, second


def find_strangers(records: Sequence[Record]) -> list[tuple[int, int]]:
    """Pairs of records that have one id of the ISIC archive but look different."""
    strangers = []
    for first, second in same_ids(records):
        one, other = records[first].look, records[second].look
        if one is not None and other is not None and not one.is_like(other):
            strangers.append((first, second))
    return strangers
