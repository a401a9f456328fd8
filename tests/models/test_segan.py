"""SegAN: two losses that pull against each other, and a bounded critic."""

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_segan, tiny_trainer

from lesionseg.models import SegAN, Segmenter


def batch():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(4, 3, *SIZE, generator=generator)
    return {"image": image, "mask": (image[:, :1] > 0.5).float()}


def largest(model):
    return max(float(parameter.abs().max()) for parameter in model.discriminator.parameters())


def test_defaults():
    with torch.device("meta"):
        model = SegAN()
    counts = [sum(p.numel() for p in one.parameters()) for one in (model.network, model)]
    assert counts == [156_265_344, 156_265_344 + 60_182_720]
    assert model.input_defaults == ((128, 128), 50, ("horizontal_flip", "vertical_flip"))


@pytest.mark.parametrize("clip", [0.05, 0.01])
def test_critic_is_clipped_after_its_steps(clip, tmp_path):
    model = tiny_segan(weight_clip=clip)
    generator = [p.detach().clone() for p in model.network.parameters()]
    assert largest(model) == 1  # its normalizations
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    assert largest(model) == pytest.approx(clip)
    assert max(float(p.abs().max()) for p in model.network.parameters()) > 0.5
    assert not all(map(torch.equal, generator, model.network.parameters()))
    assert trainer.global_step == 2 * 2
    logged = {name for name in trainer.callback_metrics if name.startswith("train/")}
    assert logged >= {
        "train/generator/multi_scale_l1",
        "train/generator/dice",
        "train/generator/loss",
        "train/discriminator/multi_scale_l1",
        "train/discriminator/loss",
    }


@pytest.mark.parametrize("arguments", [{"weight_clip": None}, {"spectral_norm": True}])
def test_critic_is_not_clipped_otherwise(arguments, tmp_path):
    model = tiny_segan(**arguments)
    tiny_trainer(tmp_path).fit(model, tiny_data())
    assert largest(model) > 0.5


def test_the_two_pull_against_each_other():
    model = tiny_segan()
    one = batch()
    logits = model(one["image"]).detach()
    generator = model.generator_terms(one, logits)
    (critic,) = model.discriminator_terms(one, logits).values()
    torch.testing.assert_close(generator["multi_scale_l1"], -critic)
    assert generator["multi_scale_l1"] > 0


def test_a_perfect_prediction_has_no_loss():
    model, one = tiny_segan(), batch()
    terms = model.generator_terms(one, 200 * one["mask"] - 100)
    assert all(abs(float(term)) < 1e-5 for term in terms.values())


def test_a_critic_step_makes_the_difference_larger():
    model, one = tiny_segan(), batch()
    logits = model(one["image"]).detach()
    optimizer = torch.optim.SGD(model.discriminator.parameters(), lr=1e-2)
    values = []
    for _ in range(2):
        (loss,) = model.discriminator_terms(one, logits).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(float(loss))
    assert values[1] < values[0] < 0


def test_its_segmentor_trains_without_a_critic_too(tmp_path):
    model = Segmenter(network="segan", network_arguments={"width": 4}, size=SIZE)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    assert torch.isfinite(trainer.callback_metrics["train/loss"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"weight_clip": 0.0}, "weight_clip"),
        ({"width": 0}, "width"),
        ({"generator_clip": -1.0}, "generator_clip"),
        ({"discriminator_accumulation": 0}, "discriminator_accumulation"),
    ],
)
def test_arguments_are_checked(arguments, word):
    with pytest.raises(ValueError, match=word):
        tiny_segan(**arguments)
