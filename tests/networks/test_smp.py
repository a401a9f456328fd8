import pytest
import segmentation_models_pytorch as smp
import torch

from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.networks import create_network


def test_is_smps_network_with_the_normalization_inside():
    network = create_network("smp:fpn/resnet18").eval()
    plain = smp.create_model("fpn", "resnet18", None, classes=1).eval()
    plain.load_state_dict(network.model.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), plain(network.normalize(image)))


@pytest.mark.parametrize(
    ("name", "multiple"), [("smp:unet/resnet18", 32), ("smp:deeplabv3/resnet18", 8)]
)
def test_multiple_is_the_encoders_output_stride(name, multiple):
    assert create_network(name).size_multiple == multiple


def test_options_reach_smp():
    network = create_network("smp:unet/resnet18", encoder_depth=3, decoder_channels=(64, 32, 16))
    assert network.size_multiple == 8
    assert network.spec["arguments"] == {"encoder_depth": 3, "decoder_channels": [64, 32, 16]}


@pytest.mark.parametrize(
    ("name", "message"),
    [("smp:unett/resnet34", 'did you mean "unet"'), ("smp:unet/resnet43", 'mean "resnet34"')],
)
def test_unknown_names_say_the_closest(name, message):
    with pytest.raises(LesionsegError, match=message):
        create_network(name)


def test_unknown_weights_are_named():
    with pytest.raises(LesionsegError, match="no-such-weights"):
        create_network("smp:unet/resnet18", encoder_weights="no-such-weights")


def test_weights_that_cannot_be_downloaded_are_one_sentence(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", offline)
    with pytest.raises(CheckpointError, match="imagenet of resnet18 could not be downloaded"):
        create_network("smp:unet/resnet18", encoder_weights="imagenet")
