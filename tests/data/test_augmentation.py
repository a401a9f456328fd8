import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionseg.data import Augmentation, SyntheticLesions, clahe, collate_samples
from lesionseg.errors import LesionsegError

NAMES = ("horizontal_flip", "vertical_flip", "gamma", "clahe")


def batch(count=8, size=(32, 48), seed=0):
    made = collate_samples(list(SyntheticLesions(count, size, seed=seed)))
    return made["image"], made["mask"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(NAMES), unique=True),
    st.integers(0, 1000),
    st.sampled_from([(32, 48), (33, 47), (64, 32)]),
)
def test_masks_stay_binary_and_aligned(names, seed, size):
    _, mask = batch(4, size, seed=1)
    # An image that is its mask in every channel: gamma and CLAHE map 0 to 0, so what is dark
    # stays skin, and every flip has to be the same for both.
    image = mask.expand(-1, 3, -1, -1).clone()
    torch.manual_seed(seed)
    changed, moved = Augmentation([n for n in names if n != "clahe"])(image, mask)
    assert torch.equal(changed, moved.expand_as(changed))
    torch.manual_seed(seed)
    image, moved = Augmentation(names)(torch.rand(mask.shape[0], 3, *size), mask)
    assert moved.shape == mask.shape
    assert set(moved.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(moved.sum((1, 2, 3)), mask.sum((1, 2, 3)))
    assert image.dtype == moved.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize(("name", "axis"), [("horizontal_flip", -1), ("vertical_flip", -2)])
def test_flips_are_exact_and_per_image(name, axis):
    image, mask = batch(32)
    torch.manual_seed(0)
    changed, moved = Augmentation([name])(image, mask)
    flipped = [torch.equal(new, old.flip(axis)) for new, old in zip(changed, image, strict=True)]
    kept = [torch.equal(new, old) for new, old in zip(changed, image, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 4 < sum(flipped) < 28
    for index, turned in enumerate(flipped):
        assert torch.equal(moved[index], mask[index].flip(axis) if turned else mask[index])


@pytest.mark.parametrize("name", ["gamma", "clahe"])
def test_intensity_changes_are_drawn_per_image_and_leave_the_mask(name):
    # CLAHE's limit is a whole number of pixels of a tile: it takes large ones to differ.
    image, mask = batch(1, (128, 128))
    image, mask = image.expand(16, -1, -1, -1), mask.expand(16, -1, -1, -1)
    torch.manual_seed(0)
    changed, moved = Augmentation([name])(image, mask)
    assert torch.equal(moved, mask)
    same = [torch.allclose(new, old, atol=1e-6) for new, old in zip(changed, image, strict=True)]
    assert 2 < sum(same) < 14
    first, *others = [picture for picture, kept in zip(changed, same, strict=True) if not kept]
    assert not all(torch.allclose(first, other, atol=1e-4) for other in others)


def test_gamma_is_the_power_that_it_says():
    image, mask = batch(2)
    changed, _ = Augmentation(["gamma"], gamma_probability=1, gamma=(1.5, 1.5))(image, mask)
    torch.testing.assert_close(changed, image**1.5)
    black = torch.zeros_like(image)
    assert torch.equal(Augmentation(["gamma"], gamma_probability=1)(black, black)[0], black)
    assert torch.equal(Augmentation(["gamma"], gamma_probability=1)(black + 1, black)[0], black + 1)


def test_clahe_raises_local_contrast():
    image, mask = batch(4)
    image = 0.45 + 0.1 * image
    changed, _ = Augmentation(["clahe"], clahe_probability=1, clip_limit=(4, 4))(image, mask)
    assert (changed.std((1, 2, 3)) > 1.5 * image.std((1, 2, 3))).all()


def test_clahe_is_the_one_of_the_package():
    image, mask = batch(4)
    augment = Augmentation(["clahe"], clahe_probability=1, clip_limit=(3, 3), tiles=(4, 5))
    assert torch.equal(augment(image, mask)[0], clahe(image, 3.0, (4, 5)))


@pytest.mark.parametrize("name", NAMES)
def test_probability_zero_and_one(name):
    image, mask = batch(6)
    for probability, changes in ((0.0, False), (1.0, True)):
        options = ("flip_probability", "gamma_probability", "clahe_probability")
        changed, moved = Augmentation([name], **dict.fromkeys(options, probability))(image, mask)
        different = (changed != image).flatten(1).any(1)
        assert different.tolist() == [changes] * 6
        assert torch.equal(moved, mask) == (not changes or name in ("gamma", "clahe"))


@pytest.mark.parametrize("name", NAMES)
def test_never_waits_for_the_device(name):
    # Tensors without data: whatever asks for a value fails.
    (transform,) = Augmentation([name]).transforms
    image, mask = (torch.empty(8, channels, 32, 48, device="meta") for channels in (3, 1))
    changed, moved = transform(image, mask)
    assert changed.shape == image.shape
    assert moved.shape == mask.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_seed_changes_images_alike_on_every_device():
    image, mask = batch()
    torch.manual_seed(5)
    expected = Augmentation(NAMES)(image, mask)
    torch.manual_seed(5)
    changed, moved = Augmentation(NAMES)(image.cuda(), mask.cuda())
    assert torch.equal(moved.cpu(), expected[1])
    # Gamma may round differently, and CLAHE's rounding makes a level of it.
    torch.testing.assert_close(changed.cpu(), expected[0], atol=0.05, rtol=0)


def test_torch_seed_governs_everything():
    image, mask = batch()
    augment = Augmentation(NAMES)
    torch.manual_seed(5)
    first = augment(image, mask)
    second = augment(image, mask)
    torch.manual_seed(5)
    again = augment(image, mask)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], second[0])


def test_computes_in_float32_under_autocast_and_for_half():
    image, mask = batch()
    torch.manual_seed(5)
    expected = Augmentation(NAMES)(image, mask)
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        changed = Augmentation(NAMES)(image, mask)
    assert torch.equal(changed[0], expected[0])
    assert Augmentation(NAMES)(image.half(), mask.half())[0].dtype == torch.float32


def test_no_names_is_an_identity():
    image, mask = batch()
    changed, moved = Augmentation([])(image, mask)
    assert changed is image
    assert moved is mask


def test_inputs_are_left_as_they_were():
    image, mask = batch()
    copy = image.clone(), mask.clone()
    Augmentation(NAMES)(image, mask)
    assert torch.equal(image, copy[0])
    assert torch.equal(mask, copy[1])


def test_arguments_are_checked():
    with pytest.raises(LesionsegError, match=r"'sharpen'.*horizontal_flip.*clahe"):
        Augmentation(["gamma", "sharpen"])
    with pytest.raises(ValueError, match="probabilities"):
        Augmentation(["gamma"], gamma_probability=1.5)
    with pytest.raises(ValueError, match="tiles"):
        Augmentation(["clahe"], tiles=(0, 8))
    with pytest.raises(ValueError, match="gamma to be"):
        Augmentation(["gamma"], gamma=(2.0, 1.0))


@pytest.mark.parametrize("name", ["rotation", "scale"])
def test_geometry_moves_image_and_mask_alike_and_masks_stay_binary(name):
    _, mask = batch(6, (64, 64))
    options = {f"{name}_probability": 1.0}
    image = mask.expand(-1, 3, -1, -1)
    changed, moved = Augmentation([name], **options)(image, mask)
    assert set(moved.unique().tolist()) <= {0.0, 1.0}
    assert not torch.equal(moved, mask)
    assert ((changed[:, :1] > 0.5) == moved.bool()).float().mean() > 0.98
    assert changed.min() >= 0
    assert changed.max() <= 1
    kept, same = Augmentation([name], **dict.fromkeys(options, 0.0))(image, mask)
    assert torch.equal(same, mask)
    assert torch.equal(kept, image)


def test_a_rotation_is_by_the_angle_and_a_scale_by_the_factor():
    image, mask = batch(2, (64, 64))
    turn = Augmentation(["rotation"], rotation_probability=1, degrees=(90, 90))
    turned, moved = turn(image, mask)
    torch.testing.assert_close(turned, image.rot90(1, (-2, -1)), atol=1e-3, rtol=0)
    assert torch.equal(moved, mask.rot90(1, (-2, -1)))
    disc = ((torch.arange(64) - 31.5).square() + (torch.arange(64)[:, None] - 31.5).square()) < 225
    disc = disc.float()[None, None]
    enlarge = Augmentation(["scale"], scale_probability=1, scale=(1.5, 1.5))
    _, larger = enlarge(disc.expand(1, 3, -1, -1), disc)
    assert larger.sum() / disc.sum() == pytest.approx(1.5**2, rel=0.03)


def test_ranges_of_geometry_are_checked():
    with pytest.raises(ValueError, match="scale to be a positive"):
        Augmentation(["scale"], scale=(0, 1))
    with pytest.raises(ValueError, match="degrees to be"):
        Augmentation(["rotation"], degrees=(10, -10))
