"""What all losses by name have in common."""

import pytest
import torch

from lesionseg.errors import LesionsegError
from lesionseg.losses import create_loss, loss_names
from lesionseg.losses.base import SegmentationLoss


@pytest.fixture(params=loss_names())
def loss(request):
    return create_loss(request.param)


def test_names():
    assert loss_names() == ["dice", "jaccard", "joint", "joint-positive", "lovasz", "nll-epe"]


def test_unknown_name_lists_the_names_and_the_closest():
    with pytest.raises(LesionsegError, match=r'"jacard"; did you mean "jaccard"\?.*lovasz'):
        create_loss("jacard")
    with pytest.raises(LesionsegError, match="there is no loss"):
        create_loss("")


def half_precision_cases():
    size = (2, 1, 512, 512)
    generator = torch.Generator().manual_seed(0)
    truth = (torch.rand(size, generator=generator) < 0.3).float()
    signs = 2 * (torch.rand(size, generator=generator) < 0.5).float() - 1
    return {
        "usual": (10 * torch.randn(size, generator=generator), truth),
        "extreme": (6e4 * signs, truth),
        "extreme and wrong": (6e4 * (1 - 2 * truth), truth),
        "empty, certain": (torch.full(size, -6e4), torch.zeros(size)),
        "empty, wrong": (torch.full(size, 6e4), torch.zeros(size)),
        "full, certain": (torch.full(size, 6e4), torch.ones(size)),
        "full, wrong": (torch.full(size, -6e4), torch.ones(size)),
    }


CASES = half_precision_cases()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_half_precision_logits_of_large_images(loss, case, dtype):
    logits, target = CASES[case]
    low = logits.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype):
        value = loss(low, target)
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert low.grad.isfinite().all()
    # The same as in float64 on the same numbers: nothing was summed in low precision.
    torch.testing.assert_close(
        value.double(), loss(low.detach().double(), target), rtol=1e-4, atol=1e-5
    )


def test_certain_and_right_is_nothing_lost(loss):
    for case in ("empty, certain", "full, certain"):
        assert loss(*CASES[case]) == 0


def test_right_direction(loss):
    """Gradient descent on the logits makes the loss smaller and the prediction right."""
    target = (torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    logits = torch.zeros(2, 1, 6, 6, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    first = loss(logits, target).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss(logits, target).backward()
        optimizer.step()
    assert loss(logits, target) < first / 2
    # The positive-only entropy leaves the background to Dice, which is enough here.
    assert ((logits > 0) == target.bool()).all()


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_target_of_any_type(loss, dtype):
    logits = torch.randn(2, 1, 5, 4)
    target = torch.rand(2, 1, 5, 4) < 0.5
    torch.testing.assert_close(loss(logits, target.to(dtype)), loss(logits, target.float()))


def test_gradients_equal_finite_differences(loss):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 1, 3, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.rand(2, 1, 3, 4, generator=generator) < 0.5
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits)


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 1, 4, 5), (1, 1, 5, 4)])
def test_refuses_a_target_of_another_shape(loss, shape):
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        loss(torch.randn(2, 1, 5, 4), torch.zeros(shape))


def test_a_loss_without_forward_cannot_be_built():
    with pytest.raises(TypeError, match=r"abstract method '?forward"):
        SegmentationLoss()
