"""Find copies of images, within and across sets, and ids with two different images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionseg.data.id_lists import archive_ids
from lesionseg.inspection.hashing import MIN_CORRELATION, Hash, close_pairs, normalize
from lesionseg.inspection.records import ImageRecord


class Duplicates(NamedTuple):
    """Records of one picture under different ids.

    Attributes:
        members: Indices of the records, sorted.
        bits: Largest number of bits that differ between the hashes of two copies.
    """

    members: tuple[int, ...]
    bits: int


def find_duplicates(records: Sequence[ImageRecord]) -> list[Duplicates]:
    """Group the records whose images look the same.

    Two images are copies if their perceptual hashes differ in at most 10 of 64 bits and their gray
    pictures of 32 x 32 correlate by 0.96 or more. Both numbers were chosen by looking at the pairs
    in the ISIC sets of 2016 to 2018: see *How copies are found* in the documentation.

    An id of the ISIC archive means the same image in every set, so a group with a single such id is
    not reported. Other file names mean nothing outside their set.

    Args:
        records: Records of all sets.

    Returns:
        Groups of at least two ids, sorted by the bits that differ.
    """
    readable = [(index, r.fingerprint) for index, r in enumerate(records) if r.fingerprint]
    if not readable:
        return []
    indices, fingerprints = zip(*readable, strict=True)
    # Equal images, such as blank ones, are merged first: they would make millions of pairs.
    pictures, first, kind = np.unique(
        np.stack([fingerprint.gray for fingerprint in fingerprints]),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    hashes = np.stack([fingerprints[index].hash for index in first])
    labels, bits = _link(hashes, normalize(pictures))
    groups: dict[int, list[int]] = {}
    for index, label in zip(indices, labels[kind.reshape(-1)].tolist(), strict=True):
        groups.setdefault(label, []).append(index)
    found = [
        Duplicates(tuple(members), int(bits[labels == label].max()))
        for label, members in groups.items()
        if len({_key_of(records[index]) for index in members}) > 1
    ]
    return sorted(found, key=lambda group: (group.bits, group.members))


def _link(
    hashes: Hash, rows: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each picture's group number, and the bits to its most distant copy."""
    count = len(hashes)
    bits = np.zeros(count, np.int64)
    links = np.zeros((0, 2), np.int64)
    for pairs in close_pairs(hashes):
        (left, left_index), (right, right_index) = (
            np.unique(pairs[:, side], return_inverse=True) for side in (0, 1)
        )
        correlations = (rows[left] @ rows[right].T)[left_index, right_index]
        copies = pairs[correlations >= MIN_CORRELATION]
        for side in (0, 1):
            np.maximum.at(bits, copies[:, side], copies[:, 2])
        links = np.concatenate([links, copies[:, :2]])
        if len(links) > 8 * count:  # thousands of similar pictures: one link each is enough
            _, first, label = np.unique(
                _components(links, count), return_index=True, return_inverse=True
            )
            links = np.stack([first[label], np.arange(count)], axis=1)
    return _components(links, count), bits


def _components(links: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, np.int64)


def _key_of(record: ImageRecord) -> Hashable:
    """Return what identifies a picture by name: its id in the archive, or set and file stem."""
    (archive_id,) = archive_ids([record.id]) or [None]
    return archive_id or (record.set_index, record.id)


def count_copies(
    records: Sequence[ImageRecord], duplicates: Sequence[Duplicates]
) -> dict[tuple[int, int], int]:
    """Count the images of each set that have a copy under another id in each set.

    Returns:
        Counts above 0 by the indices of the two sets; (a, a) for copies within a set.
    """
    counts: Counter[tuple[int, int]] = Counter()
    for group in duplicates:
        members = [records[index] for index in group.members]
        sizes = Counter(record.set_index for record in members)
        same = Counter((record.set_index, _key_of(record)) for record in members)
        for record in members:
            for index, size in sizes.items():
                counts[record.set_index, index] += size > same[index, _key_of(record)]
    return {pair: count for pair, count in sorted(counts.items()) if count}


def same_ids(records: Sequence[ImageRecord]) -> Iterator[tuple[int, int]]:
    """Yield pairs of records with one id of the ISIC archive, sorted by id and set."""
    by_id: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        for archive_id in archive_ids([record.id]):
            by_id.setdefault(archive_id, []).append(index)
    for _, indices in sorted(by_id.items()):
        yield from combinations(indices, 2)


def find_conflicts(records: Sequence[ImageRecord]) -> list[tuple[int, int]]:
    """Find pairs of records that have one id of the ISIC archive but different images."""
    conflicts = []
    for pair in same_ids(records):
        first, second = (records[index].fingerprint for index in pair)
        if first and second and not first.matches(second):
            conflicts.append(pair)
    return conflicts
