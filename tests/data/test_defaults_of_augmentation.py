"""How much the papers' augmentations change, and that each image has its own draw."""

import pytest
import torch

from lesionseg.data import Augmentation, clahe


def exponents(augment, count=400):
    """What gamma has raised gray images to."""
    torch.manual_seed(0)
    gray = torch.full((count, 3, 2, 2), 0.5)
    changed, _ = augment(gray, gray[:, :1])
    assert (changed == changed[:, :1, :1, :1]).all()
    return changed[:, 0, 0, 0].log() / torch.tensor(0.5).log()


def test_gamma_is_drawn_evenly_from_0_7_to_1_5():
    drawn = exponents(Augmentation(["gamma"], gamma_probability=1))
    assert 0.699 < drawn.min() < 0.71
    assert 1.49 < drawn.max() < 1.501
    assert drawn.mean() == pytest.approx(1.1, abs=0.03)
    assert drawn.std() == pytest.approx(0.8 / 12**0.5, abs=0.02)


def test_gammas_range_is_an_argument():
    drawn = exponents(Augmentation(["gamma"], gamma_probability=1, gamma=(2.0, 3.0)))
    assert 1.99 < drawn.min() < 2.02
    assert 2.98 < drawn.max() < 3.01


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "gamma", "clahe"])
def test_half_of_the_images_are_changed(name):
    torch.manual_seed(0)
    image = torch.rand(200, 3, 16, 16)
    changed, _ = Augmentation([name])(image, image[:, :1])
    share = (changed != image).flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.5, abs=0.1)  # three standard deviations


def picture(count=1):
    torch.manual_seed(1)
    return (0.5 + 0.08 * torch.randn(1, 3, 128, 128)).clamp(0, 1).expand(count, -1, -1, -1)


def test_clahe_limits_are_drawn_from_1_to_4():
    image, bins = picture(40), range(1, 5)
    changed, _ = Augmentation(["clahe"], clahe_probability=1)(image, image[:, :1])
    # A tile of 16 x 16 pixels has one pixel for each level: limits differ by whole numbers.
    known = {limit: clahe(picture(), float(limit))[0] for limit in (*bins, 5)}
    drawn = [
        next(limit for limit, expected in known.items() if torch.equal(one, expected))
        for one in changed
    ]
    assert set(drawn) == {1, 2, 3}  # 4 is the very end


def test_every_image_of_a_batch_has_a_clip_limit_of_its_own():
    limits = [0.0, 1.0, 2.5, 4.0]
    (transform,) = Augmentation(["clahe"]).transforms
    image = picture(4)
    for changed in (clahe(image, limits), transform.change(image, torch.tensor(limits))):
        for one, limit in zip(changed, limits, strict=True):
            assert torch.equal(one, clahe(picture(), limit)[0])
        assert len({one.numpy().tobytes() for one in changed}) == 4


@pytest.mark.parametrize("name", ["gamma", "clahe"])
def test_images_of_a_batch_are_changed_apart(name):
    """Alike images become different ones, on every device's way through the batch."""
    (transform,) = Augmentation([name], gamma_probability=1, clahe_probability=1).transforms
    changed, _ = transform(picture(6).clone(), torch.zeros(6, 1, 128, 128))
    assert len({one.numpy().tobytes() for one in changed}) > 1
    drawn = transform.draw(6)
    together = transform.change(picture(6).clone(), drawn)
    for index, one in enumerate(together):
        alone = transform.change(picture().clone(), drawn[index : index + 1])[0]
        torch.testing.assert_close(one, alone)
