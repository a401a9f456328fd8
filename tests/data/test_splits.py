from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionseg.data import k_fold, load_ids, save_ids, train_val_split
from lesionseg.data.splits import refuse_other_split
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

IDS = st.lists(st.text("abc0123456789", min_size=1), min_size=6, max_size=40, unique=True)
few = settings(max_examples=40, deadline=None)


@few
@given(IDS, st.floats(0.01, 0.99), st.integers(0, 5), st.randoms())
def test_train_val_split_is_disjoint_complete_and_independent_of_order(ids, fraction, seed, chance):
    train, val = train_val_split(ids, fraction, seed)
    assert not set(train) & set(val)
    assert sorted(train + val) == sorted(ids)
    assert train
    assert val
    assert abs(len(val) - fraction * len(ids)) <= 1
    chance.shuffle(ids)
    assert train_val_split(ids, fraction, seed) == (train, val)


@few
@given(IDS, st.integers(2, 6), st.integers(0, 5), st.randoms())
def test_folds_partition(ids, num_folds, seed, chance):
    held_out = []
    for fold in range(num_folds):
        train, val = k_fold(ids, num_folds, fold, seed)
        assert sorted(train + val) == sorted(ids)
        assert len(val) in (len(ids) // num_folds, -(-len(ids) // num_folds))
        held_out += val
        shuffled = ids.copy()
        chance.shuffle(shuffled)
        assert k_fold(shuffled, num_folds, fold, seed) == (train, val)
    assert sorted(held_out) == sorted(ids)


def test_seeds_give_different_splits():
    ids = [f"ISIC_{number:07d}" for number in range(200)]
    held_out = [train_val_split(ids, 0.2, seed)[1] for seed in range(3)]
    assert held_out[0] != held_out[1] != held_out[2]
    # A fair draw: two seeds share about a fifth of their held-out images.
    assert len(set(held_out[0]) & set(held_out[1])) < 20


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train_val_split(["a", "b"], 0.0), "val_fraction"),
        (lambda: train_val_split(["a", "b"], 1.0), "val_fraction"),
        (lambda: train_val_split(["a"]), "at least two"),
        (lambda: k_fold(["a", "b", "c"], 3, 3), "expected fold to be 0 to 2"),
        (lambda: k_fold(["a", "b", "c"], 3, -1), "expected fold to be 0 to 2"),
        (lambda: k_fold(["a", "b", "c"], 1, 0), "num_folds"),
        (lambda: k_fold(["a", "b"], 3, 0), "at least 3 "),
    ],
)
def test_arguments_are_checked(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_repeated_id_is_an_error():
    with pytest.raises(InvalidDataError, match="b occurs twice"):
        train_val_split(["a", "b", "b"])


def test_id_lists_are_read_back(tmp_path: Path):
    path = tmp_path / "new" / "train.txt"
    save_ids(path, ["b", "a"])
    assert load_ids(path) == ["b", "a"]
    assert [file.name for file in path.parent.iterdir()] == ["train.txt"]
    path.write_text("\ufeffa\r\n\r\n b \r\n", encoding="utf-8")
    assert load_ids(path) == ["a", "b"]
    with pytest.raises(DatasetNotFoundError, match=r"nothing\.txt"):
        load_ids(tmp_path / "nothing.txt")
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(InvalidDataError, match=r"train\.txt is not UTF-8 text"):
        load_ids(path)


def test_a_fit_does_not_resume_on_another_split(tmp_path):
    for role, ids in (("train", ["a", "b"]), ("val", ["c"])):
        save_ids(tmp_path / f"{role}.txt", ids)
    refuse_other_split(tmp_path, {"train": ["b", "a"], "val": ["c"], "test": ["d"]})
    refuse_other_split(tmp_path / "none", {"train": ["x"]})
    with pytest.raises(InvalidDataError, match=r"2 in .*train\.txt, 1 are missing, and 2 others"):
        refuse_other_split(tmp_path, {"train": ["a", "c", "d"], "val": ["b"]})
