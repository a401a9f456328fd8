import pytest
import torch

from lesionseg.blocks import GlobalConvolution


@pytest.mark.parametrize("size", [(1, 1), (12, 9)])
def test_keeps_the_size(size):
    assert GlobalConvolution(3, 8, 7)(torch.randn(2, 3, *size)).shape == (2, 8, *size)


def test_sees_exactly_k_by_k_pixels():
    image = torch.zeros(1, 1, 15, 15).requires_grad_()
    torch.manual_seed(0)
    GlobalConvolution(1, 4, 7)(image)[0, :, 7, 7].sum().backward()
    seen = image.grad[0, 0] != 0
    assert seen[4:11, 4:11].all()
    assert seen.sum() == 49


def test_is_far_smaller_than_the_whole_kernel():
    count = sum(p.numel() for p in GlobalConvolution(64, 32, 11).parameters())
    assert count == 2 * (64 * 32 * 11 + 32) + 2 * (32 * 32 * 11 + 32)


def test_refuses_an_even_kernel():
    with pytest.raises(ValueError, match="odd"):
        GlobalConvolution(3, 8, 4)
