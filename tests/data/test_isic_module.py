"""The splits of the ISIC DataModule."""

import pytest
import torch

from lesionseg.data import (
    ISICDataModule,
    ISICDataset,
    save_ids,
)
from lesionseg.errors import InvalidDataError


def test_official_split(tmp_path, isic):
    parts = {split: isic(2018, split, count) for split, count in [("train", 6), ("val", 3)]}
    data = ISICDataModule(tmp_path, size=(24, 32), batch_size=2)
    data.setup("fit")
    data.setup("test")
    data.setup("predict")
    assert data.datasets["train"].ids == parts["train"]
    assert data.datasets["val"].ids == parts["val"]
    assert data.datasets["test"].ids == parts["val"]  # no test split here
    assert "mask" not in next(iter(data.predict_dataloader()))
    batch = next(iter(data.test_dataloader()))
    stored = ISICDataset(tmp_path, 2018, "val", with_truth=True)[0]["truth"]
    assert torch.equal(batch["truth"][0], stored)

    # Images without ground truth can be predicted and not tested.
    parts["test"] = isic(2018, "test", 2, masks=False)
    data.setup("test")
    data.setup("predict")
    assert data.datasets["test"].ids == parts["val"]
    assert data.datasets["predict"].ids == parts["test"]
    isic(2018, "test", 2)
    data.setup("test")
    assert data.datasets["test"].ids == parts["test"]
    named = ISICDataModule(tmp_path, test_split="val", predict_split="train")
    named.setup("test")
    named.setup("predict")
    assert named.datasets["test"].ids == parts["val"]
    assert named.datasets["predict"].ids == parts["train"]


def test_holdout(tmp_path, isic):
    ids = isic(2016, "train", 10)
    test_ids = isic(2016, "test", 2)
    data = ISICDataModule(tmp_path, year=2016, split="holdout", val_fraction=0.3)
    data.setup("fit")
    data.setup("test")
    assert len(data.datasets["val"]) == 3
    assert sorted(data.datasets["train"].ids + data.datasets["val"].ids) == ids
    assert data.datasets["test"].ids == test_ids


def test_folds(tmp_path, isic):
    ids = isic(2018, "train", 11)
    held_out = []
    for fold in range(5):
        data = ISICDataModule(tmp_path, split="k-fold", fold=fold)
        data.setup("fit")
        data.setup("test")
        assert data.datasets["val"].ids == data.datasets["test"].ids
        assert data.datasets["test"].with_truth
        assert sorted(data.datasets["train"].ids + data.datasets["val"].ids) == ids
        held_out += data.datasets["val"].ids
    assert sorted(held_out) == ids


def test_limit_is_a_seeded_part_of_the_training_images(tmp_path, isic):
    ids = isic(2018, "train", 10)
    isic(2018, "val", 2)
    chosen = []
    for seed in (0, 0, 1):
        data = ISICDataModule(tmp_path, limit=4, seed=seed)
        data.setup("fit")
        chosen.append(data.datasets["train"].ids)
        assert len(data.datasets["val"]) == 2
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(chosen[0]) == 4
    assert set(chosen[0]) < set(ids)


def test_only_some_images_are_tested(isic, tmp_path):
    ids = isic(2018, "train", 6)
    wanted = tmp_path / "ids.txt"
    save_ids(wanted, [*ids[1:3], "ISIC_9999999"])
    data = ISICDataModule(tmp_path, split="holdout", test_split="train", test_only=wanted)
    data.setup("test")
    assert data.datasets["test"].ids == ids[1:3]
    save_ids(wanted, ["ISIC_9999999"])
    data = ISICDataModule(tmp_path, split="holdout", test_split="train", test_only=[str(wanted)])
    with pytest.raises(InvalidDataError, match="none of the 6 images"):
        data.setup("test")
