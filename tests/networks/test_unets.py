"""U-Net, MultiResUNet and FrCN."""

import pytest
import torch
from torch import nn

from lesionseg.networks import FrCN, MultiResUNet, UNet
from lesionseg.networks.base import he_initialize


@pytest.mark.parametrize(("network", "width"), [(UNet, 0), (MultiResUNet, 3)])
def test_too_narrow_is_refused(network, width):
    with pytest.raises(ValueError, match=f"width to be at least {width + 1}, got {width}"):
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


def test_multiresunet_with_the_authors_layers_has_their_count():
    network = MultiResUNet(authors_layers=True)
    statistics = [
        buffer.numel()
        for name, buffer in network.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    ]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters + sum(statistics) == 7_262_750
    assert not [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    # The scales that stay: after the joined maps and the sum of 9 blocks, and in 10 path blocks.
    scaled = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and m.affine]
    assert len(scaled) == 2 * 9 + 10


def test_a_normalization_without_scale_is_one_of_scale_1():
    torch.manual_seed(0)
    plain, lean = MultiResUNet(4).double(), MultiResUNet(4, authors_layers=True).double()
    state = lean.state_dict()
    for name, tensor in plain.state_dict().items():
        if name in state:
            tensor.copy_(state[name])
        elif f"{name[:-4]}shift" in state:  # the bias of such a normalization
            tensor.copy_(state[f"{name[:-4]}shift"].normal_().flatten())
        else:  # the scale of one, or the bias of a convolution before it
            tensor.fill_(float(name.endswith("weight")))
    image = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(lean.train()(image), plain.train()(image))
    torch.testing.assert_close(lean.eval()(image), plain.eval()(image))


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
def test_he_initialization(convolution, inputs):
    torch.manual_seed(0)
    he_initialize(nn.Sequential(convolution))
    assert convolution.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.03)
    assert not convolution.bias.any()
