"""Names of version 0.1 that are still accepted."""

from types import SimpleNamespace

import pytest
from torch import nn

import lesionseg.data
from lesionseg import ASNet
from lesionseg.data import InputDefaults, SyntheticDataModule
from lesionseg.models.base import SegmentationModule

OWN = InputDefaults(size=(32, 48), batch_size=3, augmentation=("vertical_flip",))


def network():
    return nn.Conv2d(3, 1, 1)


def test_the_old_class_is_the_new_one_with_a_warning():
    with pytest.warns(FutureWarning, match=r"data\.Recipe is now lesionseg\.data\.InputDefaults"):
        assert lesionseg.data.Recipe is InputDefaults
    with pytest.warns(FutureWarning, match="InputDefaults"):
        from lesionseg.data.input_defaults import Recipe
    assert Recipe is InputDefaults


def test_the_old_attribute_of_a_model_reads_and_sets_the_new_one():
    with pytest.warns(FutureWarning, match=r"ASNet\.recipe is now ASNet\.input_defaults"):
        assert ASNet.recipe is ASNet.input_defaults
    model = SegmentationModule(network())
    with pytest.warns(FutureWarning):
        model.recipe = OWN
    with pytest.warns(FutureWarning):
        assert model.recipe is OWN
    assert model.input_defaults is OWN


def test_a_subclass_may_still_name_its_defaults_recipe():
    with pytest.warns(FutureWarning, match=r"Mine\.input_defaults"):

        class Mine(SegmentationModule):
            recipe = OWN

    assert Mine(network()).input_defaults == OWN
    assert SegmentationModule.input_defaults != OWN
    with pytest.warns(FutureWarning):
        assert Mine.recipe is OWN


def test_a_data_module_takes_the_recipe_of_any_model():
    data = SyntheticDataModule(1, 1, 1)
    data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(recipe=OWN))
    with pytest.warns(FutureWarning, match="input_defaults"):
        data.setup("fit")
    assert (data.size, data.batch_size) == (OWN.size, OWN.batch_size)
