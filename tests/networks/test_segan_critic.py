import pytest
import torch

from lesionseg.networks import SegANCritic, SegANSegmentor

STAGES = {True: (3, 6, 12, 40, 8, 8), False: (1, 2, 4, 8, 8, 8)}  # maps in widths


def pair(*size, count=2):
    return torch.rand(count, 3, *size), (torch.rand(count, 1, *size) > 0.5).float()


@pytest.mark.parametrize(("branches", "count"), [(True, 60_182_720), (False, 9_393_088)])
def test_parameter_count(branches, count):
    with torch.device("meta"):
        critic = SegANCritic(global_branches=branches)
    assert sum(p.numel() for p in critic.parameters()) == count


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (37, 50)])
@pytest.mark.parametrize("branches", [True, False])
def test_gives_the_masked_image_and_six_stages(branches, size):
    image, mask = pair(*size)
    masked, *stages = SegANCritic(2, branches)(image, mask)
    torch.testing.assert_close(masked, image * mask)
    assert tuple(stage.shape[1] / 2 for stage in stages) == STAGES[branches]
    assert stages[0].shape[-2:] == ((size[0] + 1) // 2, (size[1] + 1) // 2)


def test_sees_only_what_the_mask_shows():
    critic = SegANCritic(2).eval()
    image, mask = pair(32, 32)
    hidden = torch.where(mask > 0, image, torch.rand_like(image))
    for one, other in zip(critic(image, mask), critic(hidden, mask), strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(critic(image, mask), critic(image, 1 - mask), strict=True):
        assert not torch.allclose(one, other)


@pytest.mark.parametrize("branches", [True, False])
def test_gradients_reach_every_parameter_and_the_mask(branches):
    critic = SegANCritic(2, branches)
    image, mask = pair(64, 64)
    features = critic(image, mask.requires_grad_())
    sum(feature.square().sum() for feature in features).backward()
    assert mask.grad.any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.parameters())


def test_spectral_norm_bounds_every_convolution():
    torch.manual_seed(0)
    critic = SegANCritic(2, spectral_norm=True)
    for _ in range(30):  # one step of the power method each
        critic(*pair(32, 32))
    convolutions = [m for m in critic.modules() if isinstance(m, torch.nn.Conv2d)]
    for convolution in convolutions:
        largest = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.05)
    assert len(convolutions) == 6 + 4 * 4 + 1


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        ((1, 3, 31, 32), (1, 1, 31, 32), "at least 32"),
        ((1, 3, 32, 32), (1, 1, 32, 16), "mask"),
        ((1, 4, 32, 32), (1, 1, 32, 32), "N, 3, H, W"),
    ],
)
def test_refuses_what_does_not_fit(image, mask, message):
    with pytest.raises(ValueError, match=message):
        SegANCritic(2)(torch.rand(image), torch.rand(mask))


@pytest.mark.parametrize("network", [SegANCritic, SegANSegmentor])
def test_width_is_checked(network):
    with pytest.raises(ValueError, match="width"):
        network(width=0)


@pytest.mark.parametrize("size", [(33, 65), (47, 32), (96, 100)])
def test_segmentor_takes_any_size_in_training(size):
    network = SegANSegmentor(2)
    network(pair(*size)[0]).sum().backward()
    assert network(pair(*size)[0]).shape == (2, 1, *size)
