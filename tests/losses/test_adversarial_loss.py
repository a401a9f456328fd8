import pytest
import torch

from lesionseg.losses import AdversarialLoss, adversarial_loss


@pytest.mark.parametrize("real", [True, False])
def test_is_the_negative_log_of_the_wanted_verdict(real):
    logits = torch.randn(
        2, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    probability = logits.sigmoid()
    expected = -(probability if real else 1 - probability).log().mean()
    torch.testing.assert_close(AdversarialLoss()(logits, real=real), expected)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("value", [-6e4, 6e4])
def test_is_finite_for_extreme_half_precision_logits(value, real):
    logits = torch.full((2, 1, 8, 8), value, dtype=torch.float16, requires_grad=True)
    with torch.autocast("cpu", torch.float16):
        loss = adversarial_loss(logits, real)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0 if (value > 0) == real else 6e4, rel=1e-3)
    assert logits.grad.isfinite().all()
