import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionseg.losses import lovasz_hinge_loss


def jaccard_loss(wrong, truth):
    """1 - Jaccard of the prediction that is wrong at these pixels (Berman, equation 6)."""
    if not wrong:
        return 0.0
    lesion = {i for i, t in enumerate(truth) if t}
    return len(wrong) / len(lesion | wrong)


def naive(logits, truth):
    """The Lovasz extension by its definition: errors in order, each times the set's growth."""
    pairs = list(zip(logits, truth, strict=True))
    errors = {i: max(0.0, 1 - x * (1 if t else -1)) for i, (x, t) in enumerate(pairs)}
    wrong, loss = set(), 0.0
    for pixel in sorted(errors, key=errors.get, reverse=True):
        growth = jaccard_loss(wrong | {pixel}, truth) - jaccard_loss(wrong, truth)
        loss += errors[pixel] * growth
        wrong.add(pixel)
    return loss


@settings(deadline=None, max_examples=40)
@given(
    images=st.integers(1, 3).flatmap(
        lambda n: st.lists(
            st.lists(st.tuples(st.integers(-30, 30), st.booleans()), min_size=6, max_size=6),
            min_size=n,
            max_size=n,
        )
    )
)
def test_equals_the_definition(images):
    logits = torch.tensor([[p[0] / 10 for p in image] for image in images], dtype=torch.float64)
    truth = torch.tensor([[p[1] for p in image] for image in images], dtype=torch.float64)
    expected = np.mean([naive(x, t) for x, t in zip(logits.tolist(), truth.tolist(), strict=True)])
    got = lovasz_hinge_loss(logits.view(-1, 1, 2, 3), truth.view(-1, 1, 2, 3))
    assert got.item() == pytest.approx(expected, abs=1e-12)


def test_at_unit_margin_it_is_the_jaccard_loss():
    # Logits of +-1 have errors 0 and 2, so the extension is twice the set function itself.
    generator = torch.Generator().manual_seed(0)
    truth, prediction = (torch.rand(2, 1, 1, 9, 8, generator=generator) < 0.4).double()
    both, either = (truth * prediction).sum(), torch.maximum(truth, prediction).sum()
    loss = lovasz_hinge_loss(2 * prediction - 1, truth)
    torch.testing.assert_close(loss, 2 * (1 - both / either))


def test_gradient_reaches_the_wrong_pixels_only():
    truth = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    logits = torch.tensor([[[[3.0, -1.0, -3.0, 1.0]]]], requires_grad=True)
    lovasz_hinge_loss(logits, truth).backward()
    assert (logits.grad.sign() == torch.tensor([[[[0.0, -1.0, 0.0, 1.0]]]])).all()


def test_image_without_lesion_has_its_greatest_error():
    logits = torch.tensor([[[[-3.0, 0.5, -0.2]]], [[[-1.0, -2.0, -5.0]]]])
    assert lovasz_hinge_loss(logits[:1], torch.zeros(1, 1, 1, 3)) == 1.5
    assert lovasz_hinge_loss(logits[1:], torch.zeros(1, 1, 1, 3)) == 0
