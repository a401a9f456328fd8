import math

import pytest
import torch

from lesionseg.losses import JointLoss, SoftDiceLoss, joint_loss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 1, 5, 4, generator=generator, dtype=torch.float64)
    return logits, (torch.rand(2, 1, 5, 4, generator=generator) < 0.4).double()


def entropy(logits, target, positive_only):
    terms = []
    for logit, truth in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        probability = 1 / (1 + math.exp(-logit))
        terms.append(-truth * math.log(probability))
        if not positive_only:
            terms[-1] -= (1 - truth) * math.log(1 - probability)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("smooth", [1e-3, 1.0])
@pytest.mark.parametrize("positive_only", [False, True])
def test_is_half_the_entropy_plus_dice(batch, positive_only, smooth):
    expected = 0.5 * entropy(*batch, positive_only) + SoftDiceLoss(smooth)(*batch).item()
    assert JointLoss(positive_only, smooth)(*batch).item() == pytest.approx(expected, abs=1e-12)


def test_positive_only_entropy_ignores_wrong_background():
    empty = torch.zeros(1, 1, 4, 4)
    wrong = torch.full((1, 1, 4, 4), 5.0)
    dice = SoftDiceLoss()(wrong, empty)
    torch.testing.assert_close(joint_loss(wrong, empty, positive_only=True), dice)
    assert joint_loss(wrong, empty) > dice + 2


def test_refuses_a_constant_that_divides_empty_images_by_0():
    with pytest.raises(ValueError, match="smooth"):
        JointLoss(smooth=0.0)
