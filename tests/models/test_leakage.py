"""A model is not judged on the images that it was trained on."""

import warnings

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_trainer
from torch.utils.data import DataLoader

from lesionseg.data import BaseDataModule, SyntheticLesions, collate_samples
from lesionseg.errors import LesionsegError
from lesionseg.inference import load_predictor
from lesionseg.models import Segmenter
from lesionseg.models.leakage import loaded_ids, refuse_trained


class Renamed(SyntheticLesions):
    """Drawings under the ids that a test chooses."""

    def __init__(self, ids):
        super().__init__(len(ids), SIZE, with_truth=True)
        self.names = ids

    @property
    def ids(self):
        return self.names

    def __getitem__(self, index):
        return {**super().__getitem__(index), "id": self.names[index]}


def isic(*numbers):
    return [f"ISIC_{number:07d}" for number in numbers]


class Data(BaseDataModule):
    def __init__(self, train, test, **options):
        super().__init__(SIZE, 2, [], **options)
        self.ids = {"train": train, "val": isic(900, 901), "test": test, "predict": test}

    def build(self, role):
        return Renamed(self.ids[role])


def small():
    return Segmenter("smp:unet/mobilenet_v2", size=SIZE, schedule="constant")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A checkpoint of a model that was trained on four ISIC images and one other."""
    folder = tmp_path_factory.mktemp("trained")
    trainer = tiny_trainer(folder)
    trainer.fit(small(), Data([*isic(0, 1, 2, 3), "1"], isic(50)))
    trainer.save_checkpoint(folder / "model.ckpt")
    return folder / "model.ckpt"


def test_a_checkpoint_names_the_training_images_of_the_archive(fitted):
    stored = torch.load(fitted, weights_only=True)["lesionseg"]["trained_on"]
    assert stored == isic(0, 1, 2, 3)
    assert Segmenter.load_from_checkpoint(fitted).trained_on == set(stored)


def test_trained_images_are_refused(fitted, tmp_path):
    model = Segmenter.load_from_checkpoint(fitted)
    data = Data([], isic(1, 2, 3, 0, 50))
    with pytest.raises(
        LesionsegError,
        match=r"4 of the 5 test images \(ISIC_0000000, ISIC_0000001, ISIC_0000002 and 1 more\);.*"
        r"--data\.exclude.*--data\.allow_trained_images true",
    ):
        tiny_trainer(tmp_path).test(model, data, verbose=False)
    assert model.test_table is None
    with pytest.raises(LesionsegError, match=r"1 of the 2 test images \(ISIC_0000003\)"):
        tiny_trainer(tmp_path).test(small(), Data([], isic(3, 9)), ckpt_path=str(fitted))


def test_the_override_warns_and_scores(fitted, tmp_path):
    model = Segmenter.load_from_checkpoint(fitted)
    data = Data([], isic(3, 50), allow_trained_images=True)
    with pytest.warns(UserWarning, match=r"2 test images \(ISIC_0000003\): the scores are not"):
        tiny_trainer(tmp_path).test(model, data, verbose=False)
    assert len(model.test_table) == 2


def test_loaders_without_a_data_module_are_checked_too(fitted, tmp_path):
    model = Segmenter.load_from_checkpoint(fitted)
    loaders = [
        DataLoader(Renamed(ids), 2, collate_fn=collate_samples) for ids in (isic(8, 9), isic(2, 7))
    ]
    with pytest.raises(LesionsegError, match=r"1 of the 2 test images"):
        tiny_trainer(tmp_path).test(model, loaders[1], verbose=False)
    tiny_trainer(tmp_path).test(model, loaders[0], verbose=False)
    model.trained_on = frozenset()
    tiny_trainer(tmp_path).test(model, loaders[1], verbose=False)


def test_other_images_validation_and_prediction_are_not_refused(fitted, tmp_path):
    model = Segmenter.load_from_checkpoint(fitted)
    trainer = tiny_trainer(tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*test images")
        trainer.test(model, Data([], [*isic(900, 901), "1"]), verbose=False)
        assert len(trainer.predict(model, Data([], isic(0, 1)))) == 1
        trainer.validate(model, Data([], []), verbose=False)
    load_predictor(fitted)


def test_drawn_lesions_are_never_refused(tmp_path):
    model = small()
    trainer = tiny_trainer(tmp_path)
    data = tiny_data()
    trainer.fit(model, data)
    assert model.trained_on == frozenset()
    trainer.test(model, data.train_dataloader(), verbose=False)


def test_a_resumed_fit_remembers_both_parts(fitted, tmp_path):
    trainer = tiny_trainer(tmp_path, max_epochs=2)
    model = small()
    trainer.fit(model, Data(isic(3, 4, 5), isic(50)), ckpt_path=str(fitted))
    assert model.trained_on == set(isic(0, 1, 2, 3, 4, 5))
    trainer.save_checkpoint(tmp_path / "more.ckpt")
    stored = torch.load(tmp_path / "more.ckpt", weights_only=True)["lesionseg"]["trained_on"]
    assert stored == isic(0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("gone", ["trained_on", "lesionseg"])
def test_an_older_checkpoint_does_not_say_and_is_tested(fitted, tmp_path, gone):
    old = torch.load(fitted, weights_only=True)
    if gone == "lesionseg":
        del old["lesionseg"]
    else:
        del old["lesionseg"][gone]
    torch.save(old, tmp_path / "old.ckpt")
    model = Segmenter.load_from_checkpoint(tmp_path / "old.ckpt")
    tiny_trainer(tmp_path).test(model, Data([], isic(0, 1)), verbose=False)
    assert len(model.test_table) == 2


def test_what_else_may_be_called_ids_is_no_obstacle():
    class Odd(SyntheticLesions):
        ids = None

    loaders = {"odd": DataLoader(Odd(2, SIZE)), "ours": [DataLoader(Renamed(isic(1, 2)))]}
    assert loaded_ids(loaders) == isic(1, 2)
    assert loaded_ids(DataLoader(torch.zeros(3))) == loaded_ids(None) == []


def test_names_count_whatever_their_case_and_only_if_they_are_the_archives():
    refuse_trained(["1", "a"], ["1", "a"], allow=False)
    with pytest.raises(LesionsegError, match="1 of the 1 test images"):
        refuse_trained(isic(1), ["isic_0000001"], allow=False)
