"""Augmentation beyond the papers: elastic, color constancy, color jitter, hair; all together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lesionseg.data import (
    AUGMENTATION_NAMES,
    Augmentation,
    SyntheticDataModule,
    SyntheticLesions,
    collate_samples,
    shades_of_gray,
)
from lesionseg.data.drawing.artifacts import draw_hairs, grow_hairs
from lesionseg.data.drawing.canvas import Canvas
from lesionseg.errors import LesionsegError

COLORS = ("color_constancy", "color_jitter", "hair")
NEW = ("elastic", *COLORS)


def batch(count=6, size=(32, 48), seed=0):
    made = collate_samples(list(SyntheticLesions(count, size, seed=seed)))
    return made["image"], made["mask"]


def always(name, **options):
    return Augmentation([name], **{f"{name}_probability": 1.0} | options)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(AUGMENTATION_NAMES), unique=True),
    st.integers(0, 1000),
    st.sampled_from([(32, 48), (33, 47), (64, 32), (9, 70)]),
)
def test_whatever_is_applied_images_stay_images_and_masks_masks(names, seed, size):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(3, 3, *size, generator=generator)
    mask = (torch.rand(3, 1, *size, generator=generator) > 0.5).float()
    copies = image.clone(), mask.clone()
    augment = Augmentation(names)
    assert augment.names == tuple(names)
    torch.manual_seed(seed)
    changed, moved = augment(image, mask)
    assert changed.shape == image.shape
    assert moved.shape == mask.shape
    assert changed.dtype == moved.dtype == torch.float32
    assert set(moved.unique().tolist()) <= {0.0, 1.0}
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(image, copies[0])
    assert torch.equal(mask, copies[1])
    torch.manual_seed(seed)
    again = augment(image, mask)
    assert torch.equal(again[0], changed)
    assert torch.equal(again[1], moved)


@pytest.mark.parametrize("name", NEW)
def test_probability_zero_and_one(name):
    image, mask = batch()
    torch.manual_seed(0)
    for probability in (0.0, 1.0):
        changed, moved = Augmentation([name], **{f"{name}_probability": probability})(image, mask)
        assert (changed != image).flatten(1).any(1).tolist() == [probability == 1] * len(image)
        assert torch.equal(moved, mask) == (probability == 0 or name in COLORS)


@pytest.mark.parametrize("name", NEW)
def test_each_image_is_changed_by_itself(name):
    image, mask = batch(1)
    image, mask = image.expand(8, -1, -1, -1), mask.expand(8, -1, -1, -1)
    torch.manual_seed(0)
    changed, _ = always(name)(image, mask)
    first, *others = changed
    assert not any(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("name", NEW)
def test_never_waits_for_the_device(name):
    # Tensors without data: whatever asks for a value fails.
    (transform,) = Augmentation([name]).transforms
    image, mask = (torch.empty(8, channels, 32, 48, device="meta") for channels in (3, 1))
    changed, moved = transform(image, mask)
    assert changed.shape == image.shape
    assert moved.shape == mask.shape


@pytest.mark.parametrize("name", NEW)
def test_a_batch_at_once_is_the_images_one_by_one(name):
    image, _ = batch(3)
    (transform,) = always(name).transforms
    torch.manual_seed(0)
    drawn = transform.draw(3)
    together = transform.change(image.clone(), drawn)
    single = [transform.change(image[i : i + 1].clone(), drawn[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(single), atol=1e-6, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_seed_changes_images_alike_on_every_device():
    image, mask = batch()
    torch.manual_seed(5)
    expected = Augmentation(NEW)(image, mask)
    torch.manual_seed(5)
    changed, moved = Augmentation(NEW)(image.cuda(), mask.cuda())
    assert (moved.cpu() != expected[1]).float().mean() < 0.01  # a nearest pixel may be another
    torch.testing.assert_close(changed.cpu(), expected[0], atol=0.02, rtol=0)


def test_the_order_is_that_of_the_names():
    image, mask = batch(1)
    options = {"hair_probability": 1.0, "gamma_probability": 1.0, "gamma": (3.0, 3.0)}
    torch.manual_seed(0)
    hair_first, _ = Augmentation(["hair", "gamma"], **options)(image, mask)
    torch.manual_seed(0)
    hairy, _ = Augmentation(["hair"], **options)(image, mask)
    torch.testing.assert_close(hair_first, hairy**3)
    assert not torch.equal(Augmentation(["gamma", "hair"], **options)(image, mask)[0], hair_first)


def test_a_datamodule_takes_every_name():
    data = SyntheticDataModule(size=(32, 32), augmentation=list(AUGMENTATION_NAMES))
    assert data.augmentation.names == AUGMENTATION_NAMES
    with pytest.raises(LesionsegError, match=r"'hairs'.*elastic.*hair"):
        SyntheticDataModule(augmentation=["hairs"])


# -- elastic -----------------------------------------------------------------------------------


def test_elastic_moves_image_and_mask_alike():
    _, mask = batch(6, (64, 80))
    changed, moved = always("elastic", displacement=(0.03, 0.03))(mask.expand(-1, 3, -1, -1), mask)
    assert ((changed[:, :1] > 0.5) == moved.bool()).float().mean() > 0.98
    assert not torch.equal(moved, mask)
    assert (moved != mask).float().mean() < 0.2


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (96, 64)])
def test_elastic_displacements_are_shares_of_the_shorter_side(size):
    image = torch.rand(1, 3, *size)
    (transform,) = Augmentation(["elastic"]).transforms
    moves = torch.zeros(1, 2, 4, 4)
    moves[:, 0], moves[:, 1] = 8 / 64, 4 / 64  # the same everywhere: 8 pixels in x, 4 in y
    moved = transform.change(image, moves)
    torch.testing.assert_close(
        moved[..., : size[0] - 4, : size[1] - 8], image[..., 4:, 8:], atol=1e-4, rtol=0
    )


def test_elastic_is_alike_at_every_size():
    _, large = batch(4, (128, 128))
    small = F.max_pool2d(large, 2)
    augment = always("elastic", displacement=(0.08, 0.08))
    moved = []
    for mask in (large, small):
        torch.manual_seed(3)
        moved.append(augment(mask.expand(-1, 3, -1, -1), mask)[1])
    apart = (F.max_pool2d(moved[0], 2) != moved[1]).float().mean()
    assert apart < 0.03
    assert (small != moved[1]).float().mean() > 2 * apart


# -- color constancy --------------------------------------------------------------------------


def test_shades_of_gray_are_the_formula():
    image = 0.6 * batch(3)[0] * torch.tensor([1.0, 0.7, 0.8]).view(3, 1, 1)
    pixels = image.double().numpy()
    light = (pixels**6).mean((2, 3), keepdims=True) ** (1 / 6)
    gain = 1 / (np.sqrt(3) * light / np.linalg.norm(light, axis=1, keepdims=True))
    np.testing.assert_allclose(
        shades_of_gray(image).numpy(), (pixels * gain).clip(0, 1), rtol=0, atol=1e-5
    )
    half = shades_of_gray(image, [0.5, 0.0, 1.0])
    np.testing.assert_allclose(half[0], (pixels * gain**0.5).clip(0, 1)[0], rtol=0, atol=1e-5)
    assert torch.equal(half[1], image[1])
    assert torch.equal(half[2], shades_of_gray(image)[2])


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.floats(0.3, 1.0)] * 3), st.floats(1.0, 8.0))
def test_the_color_of_the_light_does_not_matter_once_it_is_out(cast, power):
    image = 0.5 * batch(1)[0]
    lit = image * torch.tensor(cast).view(3, 1, 1)
    plain, corrected = (shades_of_gray(one, power=power) for one in (image, lit))
    assert plain.max() < 1  # nothing was cut off
    torch.testing.assert_close(
        corrected / corrected.mean(), plain / plain.mean(), atol=1e-3, rtol=1e-3
    )


def test_black_and_gray_stay_so():
    black = torch.zeros(1, 3, 4, 4)
    assert torch.equal(shades_of_gray(black), black)
    gray = torch.rand(1, 1, 4, 4).expand(-1, 3, -1, -1)
    torch.testing.assert_close(shades_of_gray(gray), gray)
    red = torch.cat([torch.rand(1, 1, 4, 4), torch.zeros(1, 2, 4, 4)], 1)
    corrected = shades_of_gray(red.half())
    assert corrected.dtype == torch.float32
    assert torch.isfinite(corrected).all()
    assert torch.equal(corrected[:, 1:], torch.zeros(1, 2, 4, 4))


def test_shades_of_gray_checks_its_arguments():
    with pytest.raises(ValueError, match="shape"):
        shades_of_gray(torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match="power"):
        shades_of_gray(torch.rand(1, 3, 4, 4), power=0)
    with pytest.raises(ValueError, match="degree to be 1 numbers, one per image, got 2"):
        shades_of_gray(torch.rand(1, 3, 4, 4), [0.5, 1.0])


def test_color_constancy_is_the_one_of_the_package():
    image, mask = batch(3)
    changed, _ = always("color_constancy", color_constancy=(0.7, 0.7))(image, mask)
    torch.testing.assert_close(changed, shades_of_gray(image, 0.7), atol=1e-6, rtol=0)


# -- color jitter -----------------------------------------------------------------------------


def test_jitter_changes_no_more_than_it_says():
    image, mask = batch(4)
    still, _ = always("color_jitter", color_jitter=(0, 0, 0, 0))(image, mask)
    torch.testing.assert_close(still, image)
    brighter, _ = always("color_jitter", color_jitter=(0.3, 0, 0, 0))(0.5 * image, mask)
    factors = brighter.mean((1, 2, 3)) / (0.5 * image).mean((1, 2, 3))
    torch.testing.assert_close(brighter, 0.5 * image * factors.view(-1, 1, 1, 1))
    assert ((factors >= 0.7) & (factors <= 1.3)).all()
    gray = image[:, :1].expand(-1, 3, -1, -1)
    turned, _ = always("color_jitter", color_jitter=(0, 0, 0.5, 0.5))(gray, mask)
    torch.testing.assert_close(turned, gray, atol=1e-5, rtol=0)  # it has no color to change


def test_hue_turns_as_far_as_asked():
    red = torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    (transform,) = Augmentation(["color_jitter"]).transforms
    third = torch.tensor([[1.0, 1.0, 1.0, 2 * torch.pi / 3]])
    torch.testing.assert_close(transform.change(red, third), red.roll(1, dims=1), atol=1e-5, rtol=0)
    drawn = transform.draw(500)
    assert drawn[:, 3].abs().max() <= 0.02 * 2 * torch.pi
    assert ((drawn[:, :3] >= 0.8) & (drawn[:, :3] <= 1.2)).all()
    assert (drawn.std(0) > 0.05).all()


# -- hair --------------------------------------------------------------------------------------


def test_hairs_are_those_of_the_synthetic_images():
    size = (48, 64)
    image, _ = batch(1, size)
    (transform,) = Augmentation(["hair"], hairs=(9, 9)).transforms
    seed = torch.tensor([77])
    canvas = Canvas(np.random.default_rng(77), size)
    canvas.rng.random()  # the number of hairs, whatever it says
    hairs = grow_hairs(canvas, 9)
    over = np.array(hairs.color, np.float32)[:, None, None]
    skin = image[0].numpy() * hairs.shade
    expected = skin + (over - skin) * hairs.opacity
    np.testing.assert_allclose(
        transform.change(image.clone(), seed)[0].numpy(), expected, rtol=0, atol=1e-6
    )


def test_the_synthetic_images_draw_their_hairs_with_the_same_code():
    plain = np.full((3, 40, 40), 0.6, np.float32)
    drawn = [draw_hairs(Canvas(np.random.default_rng(s), (40, 40)), plain) for s in range(40)]
    bald = sum(np.array_equal(one, plain) for one in drawn)
    assert 10 < bald < 30  # about half of them
    assert min(one.min() for one in drawn) < 0.4
    assert max(one.max() for one in drawn) > 0.6  # seldom light ones


def test_hairs_are_thin_and_more_of_them_cover_more():
    image, mask = torch.full((12, 3, 64, 64), 0.7), torch.zeros(12, 1, 64, 64)
    covered = []
    for hairs in ((2, 4), (30, 40)):
        torch.manual_seed(1)
        changed, _ = always("hair", hairs=hairs)(image, mask)
        covered.append(((changed - image).abs() > 0.1).any(1).float().mean())
    assert 0 < covered[0] < 0.1
    assert 2 * covered[0] < covered[1] < 0.6


def test_hair_leaves_numpys_generator_alone():
    image, mask = batch(2)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    always("hair")(image, mask)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hair_probability": 1.5}, "probabilities"),
        ({"displacement": (0.03, 0.01)}, "displacement to be a positive"),
        ({"control_points": (1, 4)}, "control_points to be"),
        ({"color_constancy": (0.5, 1.5)}, "color_constancy to be a range in"),
        ({"color_jitter": (0.2, 0.2, 0.2, 0.6)}, "color_jitter to be four"),
        ({"hairs": (0, 5)}, "hairs to be a"),
    ],
)
def test_arguments_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        Augmentation(["hair"], **options)
