import math

import pytest
import torch
from kornia.filters import spatial_gradient
from torch.nn import functional as F

from lesionseg.losses import NLLEPELoss, nll_epe_loss


def draw(seed=0, size=(3, 1, 6, 7)):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size, dtype=torch.float64, generator=generator)
    return logits, (torch.rand(size, generator=generator) < 0.4).double()


def test_one_doubtful_pixel():
    target = torch.zeros(1, 1, 5, 5)
    logits = torch.full((1, 1, 5, 5), -1000.0)
    logits[..., 2, 2] = 0  # wrong by 0.5: four neighbors see 2 * 0.5, four sqrt(2) * 0.5
    likelihood, distance = math.log(2) / 25, (4 * 1 + 4 * math.sqrt(2) / 2) / 25
    for weight in (0.0, 1.0, 3.0):
        expected = likelihood + weight * distance
        assert nll_epe_loss(logits, target, weight).item() == pytest.approx(expected)
    assert nll_epe_loss(logits, target).item() == pytest.approx(likelihood + 0.5 * distance)


@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_that_is_not_seen_has_the_gradient_4(turned):
    target = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4, 4)
    target = target.mT if turned else target
    assert nll_epe_loss(torch.zeros(1, 1, 4, 4), target).item() == pytest.approx(math.log(2) + 1)


def test_the_images_frame_is_no_edge():
    logits = torch.full((2, 1, 5, 4), 1.5)
    expected = F.softplus(torch.tensor(1.5)).item()
    assert nll_epe_loss(logits, torch.zeros_like(logits)).item() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_is_likelihood_and_the_distance_of_kornias_gradients(seed):
    logits, target = draw(seed)
    gradients = [
        spatial_gradient(x, "sobel", normalized=False)[:, 0] for x in (logits.sigmoid(), target)
    ]
    distance = (gradients[0] - gradients[1]).square().sum(dim=1).sqrt().mean()
    expected = F.binary_cross_entropy_with_logits(logits, target) + 0.7 * distance
    torch.testing.assert_close(NLLEPELoss(0.7)(logits, target), expected)
    torch.testing.assert_close(NLLEPELoss()(logits, target), expected - 0.2 * distance)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="edge_weight"):
        NLLEPELoss(-0.1)


def test_mirrored_and_turned_images_lose_the_same():
    logits, target = draw()
    loss = nll_epe_loss(logits, target)
    for change in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT):
        torch.testing.assert_close(nll_epe_loss(change(logits), change(target)), loss)


def test_batch_is_the_mean_of_its_images():
    logits, target = draw()
    one_by_one = [nll_epe_loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(nll_epe_loss(logits, target), torch.stack(one_by_one).mean())


def test_gradient_is_finite_where_the_edges_agree():
    for value in (0.0, -3.0, -1e4):
        logits = torch.full((1, 1, 6, 6), value, requires_grad=True)
        target = torch.zeros(1, 1, 6, 6)
        nll_epe_loss(logits, target).backward()
        expected = torch.sigmoid(torch.full_like(logits, value)) / 36  # of the likelihood alone
        torch.testing.assert_close(logits.grad, expected)


@pytest.mark.parametrize("shape", [(2, 2, 4, 4), (2, 4, 4), (4, 4)])
def test_refuses_what_is_not_one_map_per_image(shape):
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        nll_epe_loss(torch.zeros(shape), torch.zeros(shape))
