"""Names of version 0.1 that are still accepted."""

from types import SimpleNamespace

import pytest
import torch

import lesionseg.data
from lesionseg import ASNet, Segmenter
from lesionseg.data import (
    Augmentation,
    BaseDataModule,
    InputDefaults,
    LesionDataset,
    PairedDataset,
    PH2Dataset,
    SyntheticDataModule,
    SyntheticLesions,
    shades_of_gray,
)

OWN = InputDefaults(size=(32, 48), batch_size=3, augmentation=("vertical_flip",))


def test_the_old_class_is_the_new_one_with_a_warning():
    with pytest.warns(FutureWarning, match=r"data\.Recipe is now lesionseg\.data\.InputDefaults"):
        assert lesionseg.data.Recipe is InputDefaults
    with pytest.warns(FutureWarning, match="InputDefaults"):
        from lesionseg.data.input_defaults import Recipe
    assert Recipe is InputDefaults


def test_the_old_attribute_of_a_model_reads_and_sets_the_new_one():
    with pytest.warns(FutureWarning, match=r"ASNet\.recipe is now ASNet\.input_defaults"):
        assert ASNet.recipe is ASNet.input_defaults
    model = ASNet(size=(32, 32))
    with pytest.warns(FutureWarning):
        model.recipe = OWN
    with pytest.warns(FutureWarning):
        assert model.recipe is OWN
    assert model.input_defaults is OWN


def test_a_subclass_may_still_name_its_defaults_recipe():
    with pytest.warns(FutureWarning, match=r"Mine\.input_defaults"):

        class Mine(Segmenter):
            recipe = OWN

    assert Mine("unet").input_defaults == OWN
    assert Segmenter.input_defaults != OWN
    with pytest.warns(FutureWarning):
        assert Mine.recipe is OWN


def test_a_data_module_takes_the_recipe_of_any_model():
    data = SyntheticDataModule(1, 1, 1)
    data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(recipe=OWN))
    with pytest.warns(FutureWarning, match="input_defaults"):
        data.setup("fit")
    assert (data.size, data.batch_size) == (OWN.size, OWN.batch_size)


def test_old_names_of_augmentations_are_the_new_ones():
    with pytest.warns(FutureWarning, match="colour_jitter is now color_jitter") as caught:
        augment = Augmentation(["hair", "colour_jitter", "colour_constancy"])
    assert augment.names == ("hair", "color_jitter", "color_constancy")
    assert len(caught) == 2
    with pytest.warns(FutureWarning) as caught:
        data = SyntheticDataModule(1, 1, 1, augmentation=["colour_jitter"])
    data.setup("fit")
    assert data.augmentation.names == ("color_jitter",)
    assert len(caught) == 1
    with pytest.warns(FutureWarning):
        assert Augmentation("colour_jitter").names == ("color_jitter",)


def test_old_arguments_of_augmentations_are_the_new_ones():
    with pytest.warns(FutureWarning, match=r"argument colour_jitter of Augmentation\.__init__ is"):
        old = Augmentation(["color_jitter"], colour_jitter=(0, 0, 0, 0.5))
    assert old.transforms[0].most == (0, 0, 0, 0.5)
    with pytest.warns(FutureWarning):
        old = Augmentation(["color_constancy"], colour_constancy_probability=0.25)
    assert old.transforms[0].probability == 0.25


def test_shades_of_grey_is_still_a_name():
    with pytest.warns(FutureWarning, match="shades_of_gray"):
        assert lesionseg.data.shades_of_grey is shades_of_gray
    with pytest.warns(FutureWarning, match="shades_of_gray"):
        from lesionseg.data.transforms.color_constancy import shades_of_grey
    assert shades_of_grey(torch.rand(1, 3, 2, 2)).shape == (1, 3, 2, 2)


def test_old_names_of_data_sets_are_the_new_ones():
    with pytest.warns(FutureWarning, match=r"PH2Dataset\.licence is now PH2Dataset\.license"):
        assert PH2Dataset.licence == PH2Dataset.license
    with pytest.warns(FutureWarning):
        assert SyntheticLesions(1).licence == "CC0-1.0"
    with pytest.warns(FutureWarning, match="argument alone of .* is now unpaired"):
        PairedDataset([], alone={})


@pytest.mark.parametrize("base", [BaseDataModule, LesionDataset])
def test_bases_are_abstract(base):
    with pytest.raises(TypeError, match="abstract"):
        base()
