"""U-Net, MultiResUNet and FrCN."""

import pytest
import torch
from torch import nn

from lesionseg.networks import FrCN, MultiResUNet, UNet
from lesionseg.networks.he import he_initialise


@pytest.mark.parametrize(("network", "width"), [(UNet, 0), (MultiResUNet, 3)])
def test_too_narrow_is_refused(network, width):
    with pytest.raises(ValueError, match=f"width must be at least {width + 1}.* got {width}"):
        network(width)


@torch.inference_mode()
@pytest.mark.parametrize(("network", "width"), [(UNet, 1), (MultiResUNet, 4)])
def test_the_narrowest_works(network, width):
    assert network(width).eval()(torch.rand(1, 3, 32, 48)).shape == (1, 1, 32, 48)


def shapes(modules, image, network):
    seen = []
    hooks = [
        module.register_forward_hook(lambda m, args, out: seen.append(tuple(out.shape[1:])))
        for module in modules
    ]
    with torch.inference_mode():
        network.eval()(image)
    for hook in hooks:
        hook.remove()
    return seen


def test_unet_halves_and_doubles():
    network = UNet(2)
    image = torch.rand(1, 3, 32, 48)
    down = [(2, 32, 48), (4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3)]
    assert shapes(network.encoder, image, network) == down
    assert shapes(network.ups, image, network) == down[-2::-1]
    assert shapes(network.decoder, image, network) == down[-2::-1]


def test_multiresunet_blocks_and_paths():
    network = MultiResUNet()
    image = torch.rand(1, 3, 32, 32)
    channels = [shape[0] for shape in shapes(network.encoder, image, network)]
    assert channels == [51, 105, 212, 426, 853]
    assert [len(path) for path in network.paths] == [1, 2, 3, 4]
    assert shapes(network.paths, image, network) == [
        (256, 4, 4),
        (128, 8, 8),
        (64, 16, 16),
        (32, 32, 32),
    ]


def test_frcn_keeps_the_resolution_everywhere():
    network = FrCN()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    seen = shapes(convolutions, torch.rand(1, 3, 5, 9), network)
    assert len(seen) == 13 + 3 + 1
    assert {shape[1:] for shape in seen} == {(5, 9)}
    assert [shape[0] for shape in seen[-4:]] == [256, 128, 64, 2]


@pytest.mark.parametrize(
    ("convolution", "inputs"),
    [
        (nn.Conv2d(64, 96, 3), 64 * 9),
        (nn.Conv2d(64, 96, 3, groups=2), 32 * 9),
        (nn.ConvTranspose2d(64, 96, 2, 2), 64),
    ],
)
def test_he_initialisation(convolution, inputs):
    torch.manual_seed(0)
    he_initialise(nn.Sequential(convolution))
    assert convolution.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.03)
    assert not convolution.bias.any()
