"""Averages over mirrored and turned views."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F

import lesionseg
from lesionseg.inference import TEST_TIME_AUGMENTATIONS, Predictor, average_views
from lesionseg.inference.tta import pool_views, views_of
from lesionseg.models import MobileGAN, Segmenter

AUGMENTATIONS = st.sampled_from(TEST_TIME_AUGMENTATIONS)
SIDES = st.integers(2, 9)


def lopsided(seed):
    """A network of random weights that treats no two places or directions alike."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(1, 3, 3, 3, generator=generator)
    slopes = torch.randn(2, generator=generator)

    def predict(image):
        rows = torch.linspace(-1, 1, image.shape[-2])[:, None] * slopes[0]
        columns = torch.linspace(-1, 1, image.shape[-1]) * slopes[1]
        return torch.sigmoid(F.conv2d(image, weight, padding=1) + rows + columns)

    return predict


def in_numpy(predict):
    return lambda image: predict(torch.from_numpy(np.ascontiguousarray(image))).numpy()


@settings(max_examples=40, deadline=None)
@given(AUGMENTATIONS, SIDES, SIDES, st.integers(0, 99))
def test_a_network_that_turns_with_its_image_gains_nothing(augmentation, height, width, seed):
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))

    def predict(view):
        return torch.sigmoid(F.avg_pool2d(view, 3, 1, 1).mean(1, keepdim=True))

    torch.testing.assert_close(
        average_views(predict, image, augmentation), predict(image), atol=1e-6, rtol=0
    )
    mean, deviation = pool_views(lambda view: (predict(view), None), image, augmentation)
    torch.testing.assert_close(mean, predict(image), atol=1e-6, rtol=0)
    assert deviation is None or deviation.max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(("flips", "flips_and_rotations")), SIDES, SIDES, st.integers(0, 99))
def test_whatever_the_network_the_average_turns_with_the_image(augmentation, height, width, seed):
    predict = lopsided(seed)
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    average = average_views(predict, image, augmentation)
    assert average.shape == (2, 1, height, width)
    assert average.min() >= 0
    assert average.max() <= 1
    for view in views_of(augmentation):
        seen = average_views(predict, view.apply(image), augmentation)
        torch.testing.assert_close(seen, view.apply(average), atol=1e-5, rtol=0)


def test_the_average_is_needed():
    image = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    predict = lopsided(0)
    for view in views_of("flips_and_rotations")[1:]:
        assert not torch.allclose(predict(view.apply(image)), view.apply(predict(image)), atol=1e-2)


@settings(max_examples=25, deadline=None)
@given(AUGMENTATIONS, SIDES, SIDES, st.integers(0, 99))
def test_arrays_get_what_tensors_get(augmentation, height, width, seed):
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    expected = average_views(lopsided(seed), image, augmentation)
    result = average_views(in_numpy(lopsided(seed)), image.numpy(), augmentation)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("augmentation", "count"), [("flips", 4), ("flips_and_rotations", 8)])
def test_views_differ_lead_back_and_are_a_group(augmentation, count):
    image = torch.arange(30).view(1, 5, 6)
    views = views_of(augmentation)
    seen = [view.apply(image) for view in views]
    assert len(views) == count == len({(tuple(one.shape), *one.flatten().tolist()) for one in seen})
    for view, one in zip(views, seen, strict=True):
        assert torch.equal(view.invert(one), image)
        assert one.is_contiguous()
        again = {tuple(other.apply(one).flatten().tolist()) for other in views}
        assert again == {tuple(other.flatten().tolist()) for other in seen}


def test_quarter_turns_keep_the_pixels_shape():
    fed = []

    def predict(view):
        fed.append(tuple(view.shape[-2:]))
        return view[:, :1]

    average_views(predict, torch.rand(1, 3, 4, 6), "flips_and_rotations")
    assert fed == [(4, 6)] * 4 + [(6, 4)] * 4


def test_none_is_the_network_itself():
    image = torch.rand(1, 3, 4, 5)
    fed = []
    answer = torch.rand(1, 1, 4, 5)
    assert average_views(lambda view: fed.append(view) or answer, image, "none") is answer
    assert pool_views(lambda view: fed.append(view) or (answer, None), image, "none") == (
        answer,
        None,
    )
    assert fed[0] is fed[1] is image


def test_the_deviation_is_that_of_all_draws_of_all_views():
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(8, 5, 2, 1, 4, 4, generator=generator)  # of view, of z
    left = iter(draws)

    def predict(view):
        drawn = next(left)
        return drawn.mean(0), drawn.std(0, correction=0)

    mean, deviation = pool_views(predict, torch.zeros(2, 3, 4, 4), "flips_and_rotations")
    turned = torch.stack(
        [
            view.invert(one)
            for view, drawn in zip(views_of("flips_and_rotations"), draws, strict=True)
            for one in drawn
        ]
    )
    torch.testing.assert_close(mean, turned.mean(0))
    torch.testing.assert_close(deviation, turned.std(0, correction=0))


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="none, flips, flips_and_rotations, got 'rotations'"):
        average_views(lambda view: view, np.zeros((1, 3, 4, 4)), "rotations")
    with pytest.raises(ValueError, match="'flip'"):
        Predictor(torch.nn.Identity(), (32, 32), test_time_augmentation="flip")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Segmenter("smp:unet/resnet18", size=(32, 64)).eval()


def test_photographs_are_segmented_alike_however_they_lie(model):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 64, 3), dtype=np.uint8)
    predictor = Predictor(model.network, model.size, test_time_augmentation="flips")
    straight = predictor(Image.fromarray(pixels)).probability
    upside_down = predictor(Image.fromarray(np.ascontiguousarray(pixels[::-1, ::-1]))).probability
    np.testing.assert_allclose(upside_down[::-1, ::-1], straight, rtol=0, atol=1e-5)
    single = Predictor(model.network, model.size)(Image.fromarray(pixels)).probability
    assert np.abs(single - straight).max() > 1e-3


def test_segment_averages_as_its_model_does(model):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 50, 3), np.uint8))
    plain = lesionseg.segment(picture, model).probability
    model.test_time_augmentation = "flips_and_rotations"
    try:
        averaged = lesionseg.segment(picture, model).probability
    finally:
        model.test_time_augmentation = "none"
    views = Predictor(model.network, model.size, test_time_augmentation="flips_and_rotations")
    assert np.array_equal(averaged, views(picture).probability)
    assert not np.array_equal(averaged, plain)
    assert np.array_equal(lesionseg.segment(picture, model).probability, plain)


def test_test_and_predict_average_and_validation_does_not(model):
    batch = {
        "image": torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0)),
        "id": ["a", "b"],
        "size": [(50, 70), (20, 33)],
        "truth": [torch.full((50, 70), 255, dtype=torch.uint8), torch.zeros(20, 33).byte()],
    }

    def say():
        with torch.inference_mode():
            return model.predict_step(dict(batch)), model.test_step(dict(batch), 0)

    plain, plain_test = say()
    model.test_time_augmentation = "flips"
    try:
        averaged, tested = say()
    finally:
        model.test_time_augmentation = "none"
    model.test_score.reset()
    with torch.inference_mode():
        maps = average_views(lambda view: torch.sigmoid(model(view)), batch["image"], "flips")
    for index, (one, before) in enumerate(zip(averaged, plain, strict=True)):
        assert before.uncertainty is None
        assert one.uncertainty.shape == one.probability.shape
        assert one.uncertainty.max() > 0
        restored = F.interpolate(
            maps[index : index + 1], size=batch["size"][index], mode="bilinear", antialias=True
        )
        torch.testing.assert_close(one.probability, restored[0, 0])
        assert torch.equal(one.mask, tested["mask"][index])
        assert torch.equal(before.mask, plain_test["mask"][index])
        assert not torch.equal(one.probability, before.probability)


def test_monte_carlo_draws_and_views_are_averaged_together():
    torch.manual_seed(0)
    model = MobileGAN(size=(32, 32), samples=3).eval()
    model.test_time_augmentation = "flips"
    batch = {"image": torch.rand(1, 3, 32, 32), "id": ["a"], "size": [(40, 50)]}
    with torch.inference_mode():
        (one,) = model.predict_step(batch)
    assert one.probability.shape == one.uncertainty.shape == (40, 50)
    assert 0 <= one.probability.min() <= one.probability.max() <= 1
    assert one.uncertainty.max() > 0


def test_checkpoints_do_not_keep_it(model):
    model.test_time_augmentation = "flips"
    checkpoint = {"state_dict": {}, "hyper_parameters": dict(model.hparams)}
    try:
        model.on_save_checkpoint(checkpoint)
    finally:
        model.test_time_augmentation = "none"
    assert "flips" not in repr(checkpoint)
