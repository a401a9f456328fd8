import pytest
import torch
from torch.nn import functional as F

from lesionseg.blocks import ConvBlock, DeconvBlock, ResidualBlock


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_conv_block_keeps_or_divides_the_size(kernel_size, stride):
    out = ConvBlock(3, 8, kernel_size, stride)(torch.randn(2, 3, 12, 10))
    assert out.shape == (2, 8, 12 // stride, 10 // stride)
    assert (out >= 0).all()


@pytest.mark.parametrize("bias", [True, False])
def test_conv_block_has_a_bias_only_where_asked(bias):
    assert (ConvBlock(3, 8, bias=bias)[0].bias is not None) == bias


def test_conv_block_refuses_an_even_kernel():
    with pytest.raises(ValueError, match="odd"):
        ConvBlock(3, 8, kernel_size=4)


@pytest.mark.parametrize("size", [(1, 1), (5, 4)])
def test_deconv_block_doubles_the_size(size):
    out = DeconvBlock(8, 4)(torch.randn(2, 8, *size))
    assert out.shape == (2, 4, 2 * size[0], 2 * size[1])
    assert (out >= 0).all()


def test_residual_block_adds_its_input():
    block = ResidualBlock(4).eval()
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(block(x), F.relu(block.layers(x) + x))
    torch.nn.init.zeros_(block.layers[-1].weight)
    torch.testing.assert_close(block(x), F.relu(x))
