"""Images that come twice, under one id or under two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionseg.data.id_lists import archive_ids
from lesionseg.inspection.hashing import close_pairs
from lesionseg.inspection.records import Record

#: Bits of 64 in which the hashes of two images may differ that count as the same picture.
MOST_BITS = 6


class Duplicates(NamedTuple):
    """Records of one picture that have different ids.

    Attributes:
        members: Indices of the records, sorted.
        bits: In how many bits of their hashes two of them differ at most.
    """

    members: tuple[int, ...]
    bits: int


def find_duplicates(records: Sequence[Record], most: int = MOST_BITS) -> list[Duplicates]:
    """Group the records whose images look the same, by :func:`perceptual_hash`.

    Ids of the ISIC archive mean the same image in every set: a group that holds one such id only
    is no finding. File names of other sets mean nothing elsewhere.

    Args:
        records: Of all sets.
        most: Bits in which neighbours in a group may differ.

    Returns:
        Groups of at least two ids, those of the fewest bits first.
    """
    readable = [index for index, one in enumerate(records) if one.hash is not None]
    if not readable:
        return []
    hashes = np.array([records[index].hash for index in readable])
    # Many equal images, such as blank ones, would make pairs by the million.
    distinct, kind = np.unique(hashes, axis=0, return_inverse=True)
    kind = kind.reshape(-1)  # numpy 2.0 gave it a second axis
    pairs = close_pairs(distinct, most)
    graph = coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(distinct), len(distinct))
    )
    _, labels = connected_components(graph, directed=False)
    bits = np.zeros(len(distinct), np.int64)
    np.maximum.at(bits, labels[pairs[:, 0]], pairs[:, 2])
    groups: dict[int, list[int]] = {}
    for index, label in zip(readable, labels[kind].tolist(), strict=True):
        groups.setdefault(label, []).append(index)
    found = [
        Duplicates(tuple(members), int(bits[label]))
        for label, members in groups.items()
        if len({key_of(records[index]) for index in members}) > 1
    ]
    return sorted(found, key=lambda group: (group.bits, group.members))


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


def find_strangers(records: Sequence[Record], most: int = MOST_BITS) -> list[tuple[int, int]]:
    """Pairs of records that have one id of the ISIC archive but look different."""
    return [
        (first, second)
        for first, second in same_ids(records)
        if _distance(records[first], records[second]) > most
    ]


def _distance(first: Record, second: Record) -> int:
    """Bits that differ; 0 where an image cannot be read."""
    if first.hash is None or second.hash is None:
        return 0
    return int((first.hash != second.hash).sum())
