from pathlib import Path

import numpy as np
import pytest
from conftest_inspect import photo

from lesionseg.inspection.duplicates import (
    Duplicates,
    count_copies,
    find_conflicts,
    find_duplicates,
)
from lesionseg.inspection.hashing import Fingerprint, fingerprint
from lesionseg.inspection.records import ImageRecord


def record(place, id_, seed, size=(96, 128)):
    found = None if seed is None else fingerprint(photo(seed, size))
    return ImageRecord(place, id_, Path(id_), None, size, found, None)


def test_copies_within_and_across_sets_are_found():
    records = [
        record(0, "a", 1),
        record(0, "b", 1, (60, 60)),
        record(0, "c", 2),
        record(1, "d", 1, (300, 400)),
        record(1, "e", 3),
        record(1, "f", None),
    ]
    (group,) = find_duplicates(records)
    assert group.members == (0, 1, 3)
    assert count_copies(records, [group]) == {(0, 0): 2, (0, 1): 2, (1, 0): 1}


def test_an_archive_id_means_the_same_image_everywhere_and_other_names_do_not():
    same = [record(0, "ISIC_0000001", 1), record(1, "isic_0000001", 1)]
    assert find_duplicates(same) == []
    other = [record(0, "1", 1), record(1, "1", 1)]
    assert find_duplicates(other) == [Duplicates((0, 1), 0)]
    assert count_copies(other, find_duplicates(other)) == {(0, 1): 1, (1, 0): 1}
    # a copy under a second id in both years is one picture
    years = [record(year, f"ISIC_000000{number}", 1) for year in (0, 1) for number in (1, 2)]
    (group,) = find_duplicates(years)
    assert count_copies(years, [group]) == {(0, 0): 2, (0, 1): 2, (1, 0): 2, (1, 1): 2}


def test_many_equal_pictures_are_one_group():
    records = [record(0, "blank", 5)]
    records += [records[0]._replace(id=f"blank {number}") for number in range(5000)]
    (group,) = find_duplicates(records)
    assert len(group.members) == len(records)
    assert count_copies(records, [group]) == {(0, 0): len(records)}


def test_thousands_that_are_alike_but_not_equal_are_one_group():
    one = fingerprint(photo(5))
    rng = np.random.default_rng(0)
    records = []
    for number in range(700):
        grey = one.gray ^ (rng.random(one.gray.shape) < 0.2).astype(np.uint8)
        records.append(
            record(0, str(number), None)._replace(fingerprint=Fingerprint(one.hash, grey))
        )
    records.append(record(0, "other", 6))
    (group,) = find_duplicates(records)
    assert group == Duplicates(tuple(range(700)), 0)


def test_equal_hashes_of_pictures_that_do_not_correlate_are_no_copies():
    one, other = fingerprint(photo(1)), fingerprint(photo(2))
    records = [record(0, name, None) for name in "ab"]
    records[0] = records[0]._replace(fingerprint=one)
    records[1] = records[1]._replace(fingerprint=Fingerprint(one.hash, other.gray))
    assert find_duplicates(records) == []


def test_one_archive_id_with_two_pictures_is_a_conflict():
    records = [
        record(0, "ISIC_0000001", 1),
        record(1, "ISIC_0000001", 2),
        record(0, "ISIC_0000002", 3),
        record(1, "ISIC_0000002", 3),
        record(0, "x", 4),
        record(1, "x", 5),
    ]
    assert find_conflicts(records) == [(0, 1)]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    assert find_duplicates([record(0, "a", None)] * count) == []
