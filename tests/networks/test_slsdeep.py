import pytest
import torch
from torch import nn
from torchvision.models import resnet34, resnet50

from lesionseg.errors import CheckpointError
from lesionseg.networks import SLSDeep


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SLSDeep().eval()


@torch.inference_mode()
@pytest.mark.parametrize(("size", "expected"), [((64, 96), (8, 12)), ((50, 61), (7, 8))])
def test_output_stride_8(network, size, expected):
    assert network.encoder(torch.rand(1, 3, *size)).shape == (1, 2048, *expected)
    assert network(torch.rand(1, 3, *size)).shape == (1, 1, *size)


def test_dilations_replace_the_last_two_strides(network):
    for layer, blocks in (
        ("layer2", [1] * 4),
        ("layer3", [1] + [2] * 5),
        ("layer4", [2, 4, 4]),
    ):
        stage = network.encoder.get_submodule(layer)
        assert [block.conv2.dilation[0] for block in stage] == blocks
        assert stage[0].conv2.stride[0] == (2 if layer == "layer2" else 1)


def test_pretrained_stages_are_loaded_and_the_stem_stays_random(tmp_path):
    torch.manual_seed(1)
    classifier = resnet50(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "resnet50.pth")
    encoder = SLSDeep(str(tmp_path / "resnet50.pth")).encoder
    for name, value in encoder.state_dict().items():
        if name.startswith("layer"):
            torch.testing.assert_close(value, classifier.state_dict()[name], rtol=0, atol=0)
    assert encoder.stem[0][0].weight.std() > 0.05
    torch.save(resnet34(weights=None).state_dict(), tmp_path / "resnet34.pth")
    with pytest.raises(CheckpointError, match=r"resnet34\.pth are not .* ResNet50"):
        SLSDeep(str(tmp_path / "resnet34.pth"))


def test_scores_are_not_clipped_and_dropout_stands_before_them(network):
    assert [type(part) for part in network.head] == [nn.Conv2d, nn.BatchNorm2d]
    dropouts = [name for name, m in network.named_modules() if isinstance(m, nn.Dropout)]
    assert dropouts == ["fuse.1"]
    assert network.fuse[1].p == 0.5
