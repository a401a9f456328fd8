from pathlib import Path

import pytest
from conftest_inspect import photo

from lesionseg.inspection.duplicates import (
    Duplicates,
    count_copies,
    find_duplicates,
    find_strangers,
)
from lesionseg.inspection.hashing import perceptual_hash
from lesionseg.inspection.records import Record


def record(place, id_, seed, size=(96, 128)):
    hash_ = None if seed is None else perceptual_hash(photo(seed, size))
    return Record(place, id_, Path(id_), None, size, hash_, None)


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
    records += [records[0]._replace(id=f"blank {number}") for number in range(20_000)]
    (group,) = find_duplicates(records)
    assert len(group.members) == len(records)
    assert count_copies(records, [group]) == {(0, 0): len(records)}


def test_one_archive_id_with_two_pictures_is_a_stranger():
    records = [
        record(0, "ISIC_0000001", 1),
        record(1, "ISIC_0000001", 2),
        record(0, "ISIC_0000002", 3),
        record(1, "ISIC_0000002", 3),
        record(0, "x", 4),
        record(1, "x", 5),
    ]
    assert find_strangers(records) == [(0, 1)]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    assert find_duplicates([record(0, "a", None)] * count) == []
