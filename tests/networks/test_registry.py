import re

import pytest
import torch
from torch import nn

from lesionseg import networks
from lesionseg.errors import LesionsegError
from lesionseg.networks import SegmentationNetwork, UNet, create_network, network_names, register
from lesionseg.networks import registry as registry_file


@pytest.fixture
def own_registry(monkeypatch):
    monkeypatch.setattr(registry_file, "_REGISTERED", dict(registry_file._REGISTERED))


class Tiny(SegmentationNetwork):
    def __init__(self, width: int = 1, widths: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Conv2d(3, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layer(image)


def test_unknown_name_says_the_closest_and_all():
    with pytest.raises(LesionsegError) as error:
        create_network("asnet-basline")
    assert 'did you mean "asnet-baseline"?' in str(error.value)
    for name in network_names():
        assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["smp:", "smp:unet", "smp:/resnet34", "smp:unet/"])
def test_half_an_smp_name_shows_the_form(name):
    with pytest.raises(LesionsegError, match=re.escape("smp:<architecture>/<encoder>")):
        create_network(name)


@pytest.mark.usefixtures("own_registry")
def test_a_new_network_is_one_line():
    register("tiny", Tiny, width=3)
    assert "tiny" in network_names()
    assert create_network("tiny").width == 3
    network = create_network("tiny", width=4, widths=(1, 2))
    assert network.width == 4
    assert network.spec == {"name": "tiny", "arguments": {"width": 4, "widths": [1, 2]}}


@pytest.mark.usefixtures("own_registry")
def test_a_dotted_path_is_imported_when_built():
    register("later", "no_such_package.module:Class")
    assert "later" in network_names()
    with pytest.raises(ModuleNotFoundError):
        create_network("later")


@pytest.mark.parametrize("name", ["asnet", "smp:mine"])
def test_a_name_is_given_once(name):
    with pytest.raises(ValueError, match="not taken, got"):
        register(name, Tiny)
    assert "smp:mine" not in network_names()


def test_public_names_exist_and_are_listed():
    for name in networks.__all__:
        assert getattr(networks, name) is not None
        assert name in dir(networks)
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = networks.Nonsense


def test_a_network_built_by_hand_has_an_empty_spec():
    assert Tiny().spec == {}


def test_a_network_without_forward_cannot_be_built():
    with pytest.raises(TypeError, match=r"abstract method '?forward"):
        SegmentationNetwork()


def test_the_old_name_of_the_license_of_weights_is_read():
    with pytest.warns(FutureWarning, match=r"Old\.weights_licence is now weights_license"):

        class Old(UNet):
            weights_licence = "MIT"

    assert (Old.weights_license, UNet.weights_license) == ("MIT", None)
