"""MobileGAN, SegAN and GAN-FCN, step by step against plain torch."""

import copy

import by_hand
import pytest
import torch
from by_hand import Adam, Critic, Judge, Painter, Pixels, Record, gradients, same
from conftest_models import tiny_gan_fcn, tiny_mobilegan, tiny_segan, tiny_trainer

from lesionseg.models import MobileGAN

BATCHES = 2


def fit(model, tmp_path, made, epochs=1, **networks):
    """Train with stand-in networks; return what happened and the networks before."""
    for name, network in networks.items():
        setattr(model, name, network)
    before = {name: copy.deepcopy(network).double() for name, network in networks.items()}
    record = Record(**networks)
    trainer = tiny_trainer(
        tmp_path, max_epochs=epochs, callbacks=[record], precision=by_hand.PRECISION
    )
    trainer.fit(model, by_hand.loader(made))
    return record, before


def mobilegan_losses(network, discriminator, batch, weights=(1.0, 0.1, 0.5)):
    """Equations 1 and 2; what is averaged over the batch is averaged over its patches too."""
    adversarial, l1, jaccard = weights
    image, mask = batch["image"], batch["mask"]
    logits = network(image)
    fake = logits.sigmoid()
    generator = {
        "adversarial": adversarial * by_hand.says_real(discriminator(image, fake)),
        "l1": l1 * (fake - mask).abs().mean(),
        "jaccard": jaccard * by_hand.jaccard_loss(logits, mask),
    }
    critic = {
        "real": by_hand.says_real(discriminator(image, mask)),
        "fake": by_hand.says_fake(discriminator(image, fake.detach())),
    }
    return generator, critic


def check_losses(found, player, terms, total):
    names = {name.removeprefix(f"train/{player}/") for name in found if f"/{player}/" in name}
    assert names == {*terms, "loss"}
    for name, value in {**terms, "loss": total}.items():
        assert found[f"train/{player}/{name}"] == pytest.approx(float(value.detach()), rel=1e-6), (
            name
        )


def check_mobilegan(
    record,
    networks,
    made,
    rate=lambda step: 2e-4,
    betas=(0.5, 0.999),
    discriminator_first=False,
    **weights,
):
    network, discriminator = networks["network"], networks["discriminator"]
    optimizers = {"network": Adam(network, betas), "discriminator": Adam(discriminator, betas)}
    for step, batch in enumerate(made):
        # Whoever is first, the discriminator learns from what the generator made before its step.
        before = copy.deepcopy(network)

        def train(name, loss, step=step):
            slopes = gradients(loss, networks[name])
            same(record.gradients[name][step], slopes)
            optimizers[name].step(slopes, rate(step))
            same(record.weights[name][step], networks[name].parameters())

        def train_discriminator(batch=batch, before=before, step=step, train=train):
            _, terms = mobilegan_losses(before, discriminator, batch)
            mean = (terms["real"] + terms["fake"]) / 2
            check_losses(record.losses[step], "discriminator", terms, mean)
            train("discriminator", mean)

        if discriminator_first:
            train_discriminator()
        terms, _ = mobilegan_losses(network, discriminator, batch, **weights)
        total = sum(terms.values())
        check_losses(record.losses[step], "generator", terms, total)
        train("network", total)
        if not discriminator_first:
            train_discriminator()
    assert record.rates["network"] == pytest.approx([rate(step) for step in range(len(made))])
    assert record.rates["discriminator"] == record.rates["network"]


def test_mobilegan_trains_as_its_paper_says(tmp_path):
    """Section 3: Adam at 2e-4 with betas 0.5 and 0.999, L1 weight 0.1 and Jaccard weight 0.5."""
    made = by_hand.batches(BATCHES)
    record, networks = fit(MobileGAN(), tmp_path, made, network=Pixels(), discriminator=Judge())
    check_mobilegan(record, networks, made)


def test_mobilegans_numbers_are_arguments(tmp_path):
    model = tiny_mobilegan(
        betas=(0.8, 0.9), adversarial_weight=0.3, l1_weight=2.0, jaccard_weight=0.7
    )
    made = by_hand.batches(3)
    record, networks = fit(model, tmp_path, made, network=Pixels(), discriminator=Judge())
    check_mobilegan(record, networks, made, betas=(0.8, 0.9), weights=(0.3, 2.0, 0.7))


@pytest.mark.parametrize("first", [False, True])
def test_either_player_may_be_first(first, tmp_path):
    """Section 2.2 fixes the generator and trains the discriminator, and then the other way."""
    rate = 5e-3  # the order shows where a step is large
    model = tiny_mobilegan(
        discriminator_first=first, generator_learning_rate=rate, discriminator_learning_rate=rate
    )
    made = by_hand.batches(3)
    record, networks = fit(model, tmp_path, made, network=Pixels(), discriminator=Judge())
    check_mobilegan(record, networks, made, lambda step: rate, discriminator_first=first)


def test_each_player_has_a_rate_of_its_own(tmp_path):
    model = tiny_mobilegan(generator_learning_rate=3e-3, discriminator_learning_rate=7e-3)
    networks = {"network": Pixels(), "discriminator": Judge()}
    record, _ = fit(model, tmp_path, by_hand.batches(1), **networks)
    assert record.rates == {"network": [3e-3], "discriminator": [7e-3]}


def test_poly_follows_the_epochs_and_has_the_power_0_9(tmp_path):
    made, epochs = by_hand.batches(BATCHES), 4
    model = tiny_mobilegan(schedule="poly")
    networks = {"network": Pixels(), "discriminator": Judge()}
    record, before = fit(model, tmp_path, made, epochs, **networks)
    check_mobilegan(
        record, before, made * epochs, lambda step: by_hand.poly(2e-4, step // BATCHES, epochs)
    )


def test_accumulation_averages_the_gradients_of_its_batches(tmp_path):
    made = by_hand.batches(5)
    model = tiny_mobilegan(generator_accumulation=2, discriminator_accumulation=3)
    networks = {"network": Pixels(), "discriminator": Judge()}
    record, before = fit(model, tmp_path, made, **networks)
    network, discriminator = before["network"], before["discriminator"]
    first, second = (mobilegan_losses(network, discriminator, batch) for batch in made[:2])
    slopes = gradients((sum(first[0].values()) + sum(second[0].values())) / 2, network)
    same(record.gradients["network"][0], slopes)
    Adam(network).step(slopes, 2e-4)
    same(record.weights["network"][1], network.parameters())
    # the generator has taken its step when the third batch comes
    third = mobilegan_losses(network, discriminator, made[2])
    means = [(one["real"] + one["fake"]) / 2 for _, one in (first, second, third)]
    same(record.gradients["discriminator"][0], gradients(sum(means) / 3, discriminator))


def test_during_the_warmup_only_the_supervised_terms_count(tmp_path):
    made = by_hand.batches(1)
    model = tiny_mobilegan(warmup_epochs=1)
    record, networks = fit(model, tmp_path, made, network=Pixels(), discriminator=Judge())
    terms, _ = mobilegan_losses(networks["network"], networks["discriminator"], made[0])
    supervised = terms["l1"] + terms["jaccard"]
    same(record.gradients["network"][0], gradients(supervised, networks["network"]))
    assert record.gradients["discriminator"] == []


def test_mobilegan_validates_by_its_supervised_terms(tmp_path):
    model = tiny_mobilegan()
    model.network, model.discriminator = Pixels(), Judge()
    (batch,) = made = by_hand.batches(1)
    trainer = tiny_trainer(tmp_path, precision=by_hand.PRECISION)
    trainer.validate(model, by_hand.loader(made), verbose=False)
    with torch.no_grad():
        terms, _ = mobilegan_losses(model.network, model.discriminator, batch)
    expected = float(terms["l1"] + terms["jaccard"])
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(expected, rel=1e-5)


class Draws(torch.nn.Module):
    """A network whose noise is known."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def monte_carlo(self, image, samples):
        return self.logits[:samples]


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_monte_carlo_takes_the_mean_and_the_sample_deviation_of_all_draws(samples):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 2, 1, *by_hand.SIZE, generator=generator)
    model = tiny_mobilegan(samples=samples)
    model.network = Draws(logits)
    (batch,) = by_hand.batches(1)
    found = model.eval().predict_step(batch)
    for index, one in enumerate(found):
        draws = 1 / (1 + (-logits[:samples, index, 0].double()).exp())
        mean = sum(draws) / samples
        torch.testing.assert_close(one.probability.double(), mean, rtol=1e-5, atol=1e-6)
        if samples == 1:
            assert one.uncertainty is None
            continue
        variance = sum((draw - mean) ** 2 for draw in draws) / (samples - 1)
        torch.testing.assert_close(one.uncertainty.double(), variance.sqrt(), rtol=1e-4, atol=1e-6)


# -- SegAN -----------------------------------------------------------------------------------------


def features_differ(critic, batch, probability):
    """Equation 3: each scale's mean absolute difference, averaged over the scales."""
    found = critic(batch["image"], probability)
    wanted = critic(batch["image"], batch["mask"])
    scales = [(one - other).abs().mean() for one, other in zip(found, wanted, strict=True)]
    return sum(scales) / len(scales)


@pytest.mark.parametrize("clip", [0.05, 0.2])
def test_segan_trains_step_by_step(clip, tmp_path):
    model = tiny_segan() if clip == 0.05 else tiny_segan(weight_clip=clip)
    made = by_hand.batches(3)
    record, networks = fit(model, tmp_path, made, network=Pixels(), discriminator=Critic())
    network, critic = networks["network"], networks["discriminator"]
    optimizers = Adam(network), Adam(critic)
    for step, batch in enumerate(made):
        logits = network(batch["image"])
        terms = {
            "multi_scale_l1": features_differ(critic, batch, logits.sigmoid()),
            "dice": by_hand.dice_loss(logits, batch["mask"]),
        }
        total = sum(terms.values())
        check_losses(record.losses[step], "generator", terms, total)
        slopes = gradients(total, network)
        same(record.gradients["network"][step], slopes)
        loss = -features_differ(critic, batch, logits.sigmoid().detach())
        check_losses(record.losses[step], "discriminator", {"multi_scale_l1": loss}, loss)
        critic_slopes = gradients(loss, critic)
        same(record.gradients["discriminator"][step], critic_slopes)
        optimizers[0].step(slopes, 2e-4)
        optimizers[1].step(critic_slopes, 2e-4)
        with torch.no_grad():
            for weight in critic.parameters():
                weight.clamp_(-clip, clip)
        same(record.weights["network"][step], network.parameters())
        same(record.weights["discriminator"][step], critic.parameters())
    assert record.rates == {"network": [2e-4] * 3, "discriminator": [2e-4] * 3}


def test_segan_validates_by_dice(tmp_path):
    model = tiny_segan()
    model.network, model.discriminator = Pixels(), Critic()
    (batch,) = made = by_hand.batches(1)
    trainer = tiny_trainer(tmp_path, precision=by_hand.PRECISION)
    trainer.validate(model, by_hand.loader(made), verbose=False)
    with torch.no_grad():
        expected = by_hand.dice_loss(model.network(batch["image"]), batch["mask"])
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(float(expected), rel=1e-5)


# -- GAN-FCN ---------------------------------------------------------------------------------------


class Watched(Pixels):
    """Keeps what it is fed in training."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, image):
        if self.training:
            self.seen.append(image.detach().clone())
        return super().forward(image)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_gan_fcn_trains_its_gan_and_then_its_network(share, tmp_path):
    model = tiny_gan_fcn(synthetic_share=share, schedule="poly")
    made, epochs = by_hand.batches(BATCHES, images=4), 4
    record, networks = fit(
        model,
        tmp_path,
        made,
        epochs,
        network=Watched(),
        discriminator=Judge(),
        synthesizer=Painter(),
    )
    painter, judge, network = (
        networks[name] for name in ("synthesizer", "discriminator", "network")
    )
    optimizers = Adam(painter), Adam(judge)
    for step, batch in enumerate(made):
        image, mask = batch["image"], batch["mask"]
        painted = painter(mask)
        terms = {
            "adversarial": by_hand.says_real(judge(painted, mask)),
            "l1": 100 * (painted - image).abs().mean(),
        }
        total = sum(terms.values())
        check_losses(record.losses[step], "generator", terms, total)
        slopes = gradients(total, painter)
        same(record.gradients["synthesizer"][step], slopes)
        verdicts = {
            "real": by_hand.says_real(judge(image, mask)),
            "fake": by_hand.says_fake(judge(painted.detach(), mask)),
        }
        mean = (verdicts["real"] + verdicts["fake"]) / 2
        check_losses(record.losses[step], "discriminator", verdicts, mean)
        judge_slopes = gradients(mean, judge)
        same(record.gradients["discriminator"][step], judge_slopes)
        optimizers[0].step(slopes, 2e-4)
        optimizers[1].step(judge_slopes, 2e-4)
        same(record.weights["synthesizer"][step], painter.parameters())
        same(record.weights["discriminator"][step], judge.parameters())
    optimizer = Adam(network, (0.9, 0.999), 1e-2, decoupled=True)
    seen = model.network.seen
    assert len(seen) == (epochs - 1) * BATCHES
    for step, fed in enumerate(seen):
        batch = made[step % BATCHES]
        assert torch.equal(fed[:4], batch["image"])
        logits = network(fed)
        loss = by_hand.joint_loss(logits[:4], batch["mask"])
        if share:
            moved = masks_under(painter, fed[4:])
            assert moved.shape == (2, 1, *by_hand.SIZE)
            loss = loss * 4 / 6 + by_hand.joint_loss(logits[4:], moved) * 2 / 6
        else:
            assert len(fed) == 4
        found = record.losses[BATCHES + step]["train/segmenter/loss"]
        assert found == pytest.approx(loss.item(), rel=1e-6)
        slopes = gradients(loss, network)
        same(record.gradients["network"][step], slopes)
        rate = by_hand.poly(1e-3, step // BATCHES, epochs - 1)
        assert record.rates["network"][step] == pytest.approx(rate, rel=1e-9)
        optimizer.step(slopes, rate)
        same(record.weights["network"][BATCHES + step], network.parameters())
    assert len(record.gradients["synthesizer"]) == BATCHES


def masks_under(painter, image):
    """The masks that a painter, which looks at a pixel at a time, has painted images under."""
    with torch.no_grad():
        background, lesion = (painter(torch.full((1, 1, 1, 1), value)) for value in (0.0, 1.0))
    far = (image - background).abs().sum(1, keepdim=True)
    near = (image - lesion).abs().sum(1, keepdim=True)
    assert torch.minimum(far, near).max() < 1e-5
    return (near < far).float()
