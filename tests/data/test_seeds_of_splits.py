"""Which images each seed and fold holds out, by the rule of the docstrings."""

import hashlib

import pytest

from lesionseg.data import FolderDataModule, ISICDataModule, k_fold, train_val_split

IDS = [f"ISIC_{number:07d}" for number in range(17)]


def permuted(ids, seed):
    """Sorted by a hash of seed and id."""
    return sorted(ids, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def folds_by_hand(ids, num_folds, seed):
    """Dealt out like cards."""
    parts = [[] for _ in range(num_folds)]
    for number, name in enumerate(permuted(ids, seed)):
        parts[number % num_folds].append(name)
    return [sorted(part) for part in parts]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_functions(seed):
    held_out = sorted(permuted(IDS, seed)[:3])  # 0.2 of 17 is 3.4
    assert train_val_split(IDS, 0.2, seed)[1] == held_out
    folds = folds_by_hand(IDS, 5, seed)
    assert [k_fold(IDS, 5, fold, seed)[1] for fold in range(5)] == folds
    assert sorted(map(len, folds)) == [3, 3, 3, 4, 4]


def test_the_seed_is_0_unless_given():
    assert train_val_split(IDS) == train_val_split(IDS, 0.2, seed=0)
    assert k_fold(IDS) == k_fold(IDS, 5, fold=0, seed=0)


@pytest.fixture
def modules(tmp_path, isic, pair_writer):
    """Both DataModules on the same ids."""
    isic(2018, "train", 17, ids=IDS)
    for number, name in enumerate(IDS):
        pair_writer(tmp_path / "x" / f"{name}.jpg", tmp_path / "y" / f"{name}.png", number=number)

    def make(**arguments):
        yield ISICDataModule(tmp_path, **arguments)
        yield FolderDataModule(tmp_path / "x", tmp_path / "y", **arguments)

    return make


def parts_of(data):
    data.setup("fit")
    return [data.datasets[role].ids for role in ("train", "val")]


@pytest.mark.parametrize("seed", [0, 3])
def test_data_modules_hold_out_by_seed_and_share(seed, modules):
    for share, count in ((0.2, 3), (0.4, 7)):
        held_out = sorted(permuted(IDS, seed)[:count])
        expected = [sorted(set(IDS) - set(held_out)), held_out]
        for data in modules(split="holdout", val_fraction=share, seed=seed):
            assert parts_of(data) == expected
    # a fifth unless told otherwise
    for data in modules(split="holdout", seed=seed):
        assert parts_of(data)[1] == sorted(permuted(IDS, seed)[:3])


@pytest.mark.parametrize("seed", [0, 3])
def test_data_modules_hold_out_the_fold_of_the_seed(seed, modules):
    for num_folds, fold in ((5, 0), (5, 3), (3, 2)):
        held_out = folds_by_hand(IDS, num_folds, seed)[fold]
        expected = [sorted(set(IDS) - set(held_out)), held_out]
        for data in modules(split="k-fold", num_folds=num_folds, fold=fold, seed=seed):
            assert parts_of(data) == expected
            data.setup("test")
            assert data.datasets["test"].ids == held_out


def test_two_seeds_give_two_splits(modules):
    for arguments in ({"split": "holdout"}, {"split": "k-fold"}):
        splits = [[parts_of(data) for data in modules(**arguments, seed=seed)] for seed in (0, 1)]
        for first, second in zip(*splits, strict=True):
            assert first != second


@pytest.mark.parametrize("seed", [0, 5])
def test_a_limit_takes_a_seeded_part_of_what_is_left_to_train_on(seed, modules):
    data, _ = modules(split="holdout", seed=seed)
    train = parts_of(data)[0]
    limited = ISICDataModule(data.root, split="holdout", seed=seed, limit=6)
    assert parts_of(limited)[0] == sorted(permuted(train, seed)[:6])
