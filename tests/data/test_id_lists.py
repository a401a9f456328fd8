import subprocess
import sys
from itertools import combinations

import pytest

import lesionseg.data
from lesionseg.data import (
    ISICDataset,
    archive_ids,
    id_list_names,
    named_ids,
    official_ids,
    save_ids,
)
from lesionseg.errors import LesionsegError

SPLITS = [(year, split) for year, splits in ISICDataset.archives.items() for split in splits]


@pytest.mark.parametrize(("year", "split"), SPLITS)
def test_each_list_is_as_long_as_its_archive(year, split):
    ids = official_ids(year, split)
    assert len(ids) == ISICDataset.archives[year][split].images.files
    assert archive_ids(ids) == ids
    assert named_ids(f"isic{year}-{split}") == named_ids(f"ISIC{year}-{split}") == ids


@pytest.mark.parametrize(("year", "total"), [(2016, 1279), (2017, 2750), (2018, 3694)])
def test_splits_of_a_year_are_disjoint_and_its_name_stands_for_all(year, total):
    parts = [official_ids(*known) for known in SPLITS if known[0] == year]
    for first, second in combinations(parts, 2):
        assert not first & second
    assert official_ids(year) == named_ids(f"isic{year}") == frozenset().union(*parts)
    assert len(official_ids(year)) == total


def test_years_overlap_as_published():
    seen = official_ids(2018, "train") | official_ids(2018, "val")
    overlaps = [len(official_ids(2017, split) & seen) for split in ("train", "val", "test")]
    assert overlaps == [1800, 121, 529]
    assert not official_ids(2018, "test") & (official_ids(2016) | official_ids(2017))


@pytest.mark.parametrize(("year", "split"), SPLITS)
def test_the_lists_are_the_archives_own(shared_data, year, split):
    name = f"isic{year}_{split}"
    if year == 2018:
        part = {"train": "Training", "val": "Validation", "test": "Test"}[split]
        name = f"isic2018_task1_{part}"
    listed = (shared_data / "ids" / f"{name}.txt").read_text().split()
    assert official_ids(year, split) == set(listed)
    assert len(listed) == len(set(listed))


def test_every_name_is_understood():
    names = id_list_names()
    assert names == sorted(
        [
            *(f"isic{year}-{split}" for year, split in SPLITS),
            *("isic2016", "isic2017", "isic2018"),
            "near-duplicates",
        ]
    )
    assert all(named_ids(name) for name in names)


@pytest.mark.parametrize(
    ("year", "split"), [(2016, "val"), (2019, "train"), (2018, "tset"), (201, None)]
)
def test_unknown_splits_are_answered_with_the_lists(year, split):
    with pytest.raises(ValueError, match=r"no official id list isic.*isic2016-test.*isic2018-val"):
        official_ids(year, split)


def test_a_file_is_a_list_too(tmp_path):
    path = tmp_path / "mine.txt"
    save_ids(path, ["b", "ISIC_0000001"])
    assert named_ids(path) == named_ids(str(path)) == {"b", "ISIC_0000001"}
    with pytest.raises(LesionsegError, match=r"'isic2017-tset'.*isic2017-test"):
        named_ids("isic2017-tset")
    path.write_text("\n")
    with pytest.raises(LesionsegError, match=r"mine\.txt is empty"):
        named_ids(path)


def test_only_the_archives_ids_mean_one_image():
    ids = ["ISIC_0000001", "isic_0000002", "1", "ISIC_123", "ISIC_00000011", "SYN_0000001"]
    assert archive_ids(ids) == {"ISIC_0000001", "ISIC_0000002"}


def test_the_lists_need_no_torch_and_the_function_is_no_module():
    code = (
        "import sys; from lesionseg.data import named_ids, official_ids\n"
        "assert len(official_ids(2018, 'val')) == 100\n"
        "assert not {'torch', 'numpy', 'lightning'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert callable(lesionseg.data.official_ids)


@pytest.mark.slow
def test_near_duplicates_are_those_that_inspect_finds(shared_data):
    from lesionseg.inspection import inspect_data

    found = inspect_data([shared_data / "isic2018-128px", shared_data / "isic2017-256px"])
    held_out = named_ids("isic2018-val") | official_ids(2017, "val") | official_ids(2017, "test")
    left_out = set()
    for group in found.duplicates:
        ids = sorted({found.records[index].id for index in group.members})
        trained = [id_ for id_ in ids if id_ in official_ids(2018, "train") - held_out]
        left_out |= set(trained if held_out & set(ids) else trained[1:])
    assert named_ids("near-duplicates") == left_out
    assert len(left_out) == 34
