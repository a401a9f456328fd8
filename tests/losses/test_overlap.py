import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionseg.losses import (
    SoftDiceLoss,
    SoftJaccardLoss,
    soft_dice_loss,
    soft_jaccard_loss,
)


def naive(logits, target, smooth, jaccard):
    """Both losses pixel by pixel, image by image."""
    losses = []
    for image, truth in zip(logits.flatten(1).tolist(), target.flatten(1).tolist(), strict=True):
        probability = [1 / (1 + 2.718281828459045**-value) for value in image]
        both = sum(p * t for p, t in zip(probability, truth, strict=True))
        total = sum(probability) + sum(truth)
        if jaccard:
            losses.append(1 - (both + smooth) / (total - both + smooth))
        else:
            losses.append(1 - (2 * both + smooth) / (total + smooth))
    return sum(losses) / len(losses)


batches = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))


def draw(batch):
    n, height, width, seed = batch
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, 1, height, width, generator=generator, dtype=torch.float64)
    target = torch.rand(n, 1, height, width, generator=generator) < torch.rand(
        n, 1, 1, 1, generator=generator
    )
    return logits, target.double()


@settings(deadline=None, max_examples=30)
@given(batch=batches, smooth=st.sampled_from([1e-3, 1.0, 100.0]))
def test_both_equal_the_naive_formula(batch, smooth):
    logits, target = draw(batch)
    dice = SoftDiceLoss(smooth)(logits, target).item()
    jaccard = SoftJaccardLoss(smooth)(logits, target).item()
    assert dice == pytest.approx(naive(logits, target, smooth, jaccard=False), abs=1e-12)
    assert jaccard == pytest.approx(naive(logits, target, smooth, jaccard=True), abs=1e-12)
    assert 0 <= dice <= jaccard <= 1


@pytest.mark.parametrize("loss", [soft_dice_loss, soft_jaccard_loss])
def test_batch_is_the_mean_of_its_images(loss):
    logits, target = draw((3, 6, 7, 1))
    one_by_one = [loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(loss(logits, target), torch.stack(one_by_one).mean())
    pooled = loss(logits.reshape(1, 1, 18, 7), target.reshape(1, 1, 18, 7))
    assert not torch.isclose(pooled, loss(logits, target))


@pytest.mark.parametrize("loss", [soft_dice_loss, soft_jaccard_loss])
@pytest.mark.parametrize("lesion", [0.0, 1.0])
def test_certain_predictions_give_0_or_nearly_1(loss, lesion):
    target = torch.full((2, 1, 40, 40), lesion)
    certain = 2000 * (target - 0.5)
    assert loss(certain, target) == 0
    assert loss(-certain, target) == pytest.approx(1, abs=1e-3)


def test_jaccard_and_dice_agree_on_certain_predictions():
    _, target = draw((1, 30, 30, 2))
    _, other = draw((1, 30, 30, 3))
    certain = 2000 * (other - 0.5)
    dice = 1 - soft_dice_loss(certain, target, 1e-9)
    jaccard = 1 - soft_jaccard_loss(certain, target, 1e-9)
    torch.testing.assert_close(dice, 2 * jaccard / (1 + jaccard))


@pytest.mark.parametrize("loss", [SoftDiceLoss, SoftJaccardLoss])
@pytest.mark.parametrize("smooth", [0.0, -1.0])
def test_refuses_a_constant_that_divides_empty_images_by_0(loss, smooth):
    with pytest.raises(ValueError, match="smooth"):
        loss(smooth)
