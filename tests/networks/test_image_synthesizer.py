from importlib import import_module

import pytest
import torch

from lesionseg.networks import ImageSynthesizer


def masks(*size, count=2):
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(count, 1, *size, generator=generator) > 0.5).float()


def test_parameter_count():
    with torch.device("meta"):
        network = ImageSynthesizer()
    assert sum(p.numel() for p in network.parameters()) == 29_245_443


@pytest.mark.parametrize(
    ("depth", "size"), [(6, (64, 64)), (6, (192, 256)), (5, (32, 64)), (2, (4, 12))]
)
@pytest.mark.parametrize("training", [True, False])
def test_paints_images(depth, size, training):
    image = ImageSynthesizer(2, depth).train(training)(masks(*size))
    assert image.shape == (2, 3, *size)
    assert image.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1


def test_masks_of_any_type_and_precision():
    network = ImageSynthesizer(4, 5).eval()
    mask = masks(32, 32)
    image = network(mask)
    torch.testing.assert_close(network(mask.bool()), image)
    with torch.autocast("cpu", torch.bfloat16):
        low = network(mask)
    assert low.dtype == torch.float32
    assert (low - image).abs().max() < 0.1


def test_noise_only_while_training():
    network, mask = ImageSynthesizer(4, 5), masks(32, 32)
    assert not torch.allclose(network(mask), network(mask))
    network.eval()
    torch.testing.assert_close(network(mask), network(mask), rtol=0, atol=0)
    assert not torch.allclose(network(mask), network(1 - mask))


def test_images_of_a_batch_do_not_mix():
    network, mask = ImageSynthesizer(4, 5, dropout=0), masks(32, 32, count=3)
    torch.testing.assert_close(network(mask[1:2]), network(mask)[1:2])


def test_gradients_reach_every_parameter():
    network = ImageSynthesizer(2, 5)
    (network(masks(64, 32)) * torch.rand(2, 3, 64, 32)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_refuses_what_does_not_fit():
    network = ImageSynthesizer(2, 5)
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        network(torch.rand(1, 3, 32, 32))
    for size in [(32, 48), (0, 32)]:
        with pytest.raises(ValueError, match="multiples of 32"):
            network(torch.rand(1, 1, *size))
    for arguments in ({"width": 0}, {"depth": 1}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            ImageSynthesizer(**arguments)


@pytest.mark.parametrize("module", ["lesionseg.networks", "lesionseg.networks.image_synthesizer"])
def test_the_name_of_version_0_1_is_an_alias(module):
    with pytest.warns(FutureWarning, match="is now .*ImageSynthesizer"):
        assert import_module(module).ImageSynthesiser is ImageSynthesizer
