import random

import numpy as np
import pytest
import torch

from lesionseg.data import SyntheticLesions, collate_samples

SIZE = (48, 64)


def same(first, second) -> bool:
    return torch.equal(first["image"], second["image"]) and torch.equal(
        first["mask"], second["mask"]
    )


def test_sample_keeps_the_contract():
    sample = SyntheticLesions(1, SIZE, offset=12, with_truth=True)[0]
    assert sample["id"] == "SYN_0000012"
    assert sample["size"] == SIZE
    assert sample["image"].shape == (3, *SIZE)
    assert sample["image"].dtype == sample["mask"].dtype == torch.float32
    assert sample["mask"].shape == (1, *SIZE)
    assert sample["truth"].dtype == torch.uint8
    assert torch.equal(sample["truth"], sample["mask"][0].to(torch.uint8) * 255)


def test_items_depend_on_seed_number_and_size_alone():
    forwards = SyntheticLesions(6, SIZE, seed=3)
    backwards = SyntheticLesions(6, SIZE, seed=3, cache=False)
    later = SyntheticLesions(2, SIZE, seed=3, offset=4)
    others = {index: backwards[index] for index in (5, 2, 0, 4)}
    for index, sample in others.items():
        assert same(sample, forwards[index])
    assert same(later[0], forwards[4])
    assert later[0]["id"] == forwards[4]["id"] == later.ids[0]
    assert not same(SyntheticLesions(1, SIZE, seed=4)[0], forwards[0])
    assert not same(forwards[0], forwards[1])


def test_global_generators_are_neither_read_nor_moved():
    def states():
        return np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    first = SyntheticLesions(1, SIZE)[0]
    assert states() == before
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    torch.manual_seed(1)
    assert same(SyntheticLesions(1, SIZE)[0], first)


@pytest.mark.parametrize("size", [(48, 64), (64, 64), (40, 33)])
def test_lesions_are_of_a_plausible_size_and_can_be_seen(size):
    seen = 0
    areas = []
    for sample in (SyntheticLesions(40, size, seed=9)[index] for index in range(40)):
        mask = sample["mask"].bool()
        assert set(sample["mask"].unique().tolist()) == {0.0, 1.0}
        areas.append(mask.float().mean().item())
        gray = sample["image"].mean(0, keepdim=True)
        seen += bool(gray[mask].mean() < gray[~mask].mean())
    assert 0.025 < min(areas) < max(areas) < 0.8
    assert max(areas) - min(areas) > 0.25
    # Darker than what surrounds it, but for a few in black corners or hardly pigmented.
    assert seen >= 26


def test_cache_gives_the_same_and_cannot_be_changed_from_outside():
    data = SyntheticLesions(2, SIZE, with_truth=True)
    first = data[0]
    kept = {key: first[key].clone() for key in ("image", "mask", "truth")}
    for key in kept:
        first[key].zero_()
    for key, value in kept.items():
        assert torch.equal(data[0][key], value)


def test_cache_is_bounded(monkeypatch):
    monkeypatch.setattr("lesionseg.data.datasets.synthetic.CACHE_BYTES", 3 * 4 * SIZE[0] * SIZE[1])
    data = SyntheticLesions(5, SIZE)
    for index in range(5):
        data[index]
    assert len(data._drawn) == 3


def test_indices_and_arguments():
    data = SyntheticLesions(3, SIZE)
    assert same(data[-1], data[2])
    assert len(list(data)) == 3
    with pytest.raises(IndexError):
        data[3]
    for arguments in ({"length": 0}, {"size": (8, 64)}, {"seed": -1}, {"offset": -1}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            SyntheticLesions(**{"length": 1, **arguments})


def test_collate():
    data = SyntheticLesions(2, SIZE)
    assert collate_samples(list(data))["mask"].shape == (2, 1, *SIZE)
