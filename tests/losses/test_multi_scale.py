import pytest
import torch

from lesionseg.losses import MultiScaleL1Loss, multi_scale_l1_loss


def features(seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, 3, 8, 8), (2, 6, 4, 4), (2, 12, 1, 1)]
    return [torch.randn(shape, dtype=dtype, generator=generator) for shape in shapes]


def test_every_scale_counts_alike():
    one, other = features(0), features(1)
    expected = sum((a - b).abs().mean() for a, b in zip(one, other, strict=True)) / 3
    torch.testing.assert_close(MultiScaleL1Loss()(one, other), expected)
    assert multi_scale_l1_loss(one, one) == 0


def test_gradients():
    one = [scale.requires_grad_() for scale in features(0)]
    assert torch.autograd.gradcheck(
        lambda *scales: multi_scale_l1_loss(scales, features(1)), tuple(one)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_in_full_precision_under_autocast(dtype):
    one, other = ([f.to(dtype) for f in features(seed)] for seed in (0, 1))
    with torch.autocast("cpu", dtype):
        value = multi_scale_l1_loss(one, other)
    assert value.dtype == torch.float32
    expected = multi_scale_l1_loss([f.double() for f in one], [f.double() for f in other])
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-6)


def test_refuses_what_does_not_match():
    for one, other in (([], []), (features(0), features(0)[:2]), (features(0), features(0)[::-1])):
        with pytest.raises(ValueError, match="same shapes"):
            multi_scale_l1_loss(one, other)
