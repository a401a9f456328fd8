import pytest
import torch

from lesionseg.networks import MobileGANDiscriminator


@pytest.fixture(scope="module")
def discriminator():
    torch.manual_seed(0)
    network = MobileGANDiscriminator()
    with torch.no_grad():
        network.layers[5].gamma.fill_(0.3)
        network.layers[9].gamma.fill_(0.3)
    return network


def pair(*size, count=2):
    return torch.rand(count, 3, *size), torch.rand(count, 1, *size)


def test_parameter_count(discriminator):
    assert sum(p.numel() for p in discriminator.parameters()) == 685_411


@pytest.mark.parametrize("size", [(16, 16), (128, 128), (48, 80)])
def test_judges_patches(discriminator, size):
    verdict = discriminator.eval()(*pair(*size))
    assert verdict.shape == (2, 1, size[0] // 16, size[1] // 16)


def test_gradients_reach_every_parameter_and_the_mask(discriminator):
    image, mask = pair(32, 32)
    discriminator.train()(image, mask.requires_grad_()).sum().backward()
    assert mask.grad.any()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    discriminator.zero_grad()


def test_sees_both_image_and_mask(discriminator):
    discriminator.eval()
    image, mask = pair(32, 32)
    verdict = discriminator(image, mask)
    assert not torch.allclose(discriminator(1 - image, mask), verdict)
    assert not torch.allclose(discriminator(image, 1 - mask), verdict)


def test_bfloat16_autocast_and_export(discriminator):
    discriminator.eval()
    inputs = pair(32, 32)
    verdict = discriminator(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        low = discriminator(*inputs)
    assert (low.float() - verdict).abs().max() < 0.05 * verdict.abs().max()
    program = torch.export.export(discriminator, inputs)
    torch.testing.assert_close(program.module()(*inputs), verdict)


def test_state_dict_survives_a_file(discriminator, tmp_path):
    torch.save(discriminator.state_dict(), tmp_path / "d.pt")
    other = MobileGANDiscriminator()
    other.load_state_dict(torch.load(tmp_path / "d.pt", weights_only=True))
    inputs = pair(32, 32)
    torch.testing.assert_close(other.eval()(*inputs), discriminator.eval()(*inputs))


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        ((1, 3, 24, 32), (1, 1, 24, 32), "multiples of 16"),
        ((1, 3, 0, 32), (1, 1, 0, 32), "at least 16"),
        ((1, 3, 32, 32), (1, 1, 32, 16), "mask"),
        ((1, 3, 32, 32), (1, 3, 32, 32), "mask"),
        ((1, 4, 32, 32), (1, 1, 32, 32), "N, 3, H, W"),
    ],
)
def test_refuses_what_does_not_fit(discriminator, image, mask, message):
    with pytest.raises(ValueError, match=message):
        discriminator(torch.rand(image), torch.rand(mask))
