"""The alternating training of MobileGAN, and the known pains of manual optimization."""

import copy
import warnings

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_mobilegan, tiny_trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from lesionseg.errors import LesionsegError

TERMS = {"generator/l1", "generator/jaccard", "generator/adversarial", "generator/loss"}
TERMS |= {"discriminator/real", "discriminator/fake", "discriminator/loss"}


def weights(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def same(before, network):
    return all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


class Gradients(Callback):
    """Keeps the gradient norm that each optimizer steps with, and how often it steps."""

    def __init__(self):
        self.norms = {0: [], 1: []}

    def watch(self, model):
        for which, optimizer in enumerate(model.optimizers(use_pl_optimizer=False)):
            step = optimizer.step

            def record(*args, _which=which, _optimizer=optimizer, _step=step, **kwargs):
                closure = args[0] if args else kwargs.get("closure")
                result = _step(*args, **kwargs) if closure else _step()
                grads = [
                    p.grad.norm()
                    for g in _optimizer.param_groups
                    for p in g["params"]
                    if p.grad is not None
                ]
                self.norms[_which].append(float(torch.stack(grads).norm()))
                return result

            optimizer.step = record

    def on_train_start(self, trainer, pl_module):
        self.watch(pl_module)


def fit(tmp_path, data=None, callbacks=(), trainer=None, **arguments):
    model = tiny_mobilegan(**arguments)
    trainer = tiny_trainer(tmp_path, callbacks=list(callbacks), **(trainer or {}))
    trainer.fit(model, data or tiny_data())
    return model, trainer


def test_both_networks_train_and_every_term_is_logged(tmp_path):
    model = tiny_mobilegan()
    generator, discriminator = weights(model.network), weights(model.discriminator)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    assert not same(generator, model.network)
    assert not same(discriminator, model.discriminator)
    logged = {name.removeprefix("train/") for name in trainer.callback_metrics}
    assert logged >= TERMS
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_terms_sum_to_the_loss(tmp_path):
    _, trainer = fit(tmp_path, l1_weight=0.3)
    value = {name: float(metric) for name, metric in trainer.callback_metrics.items()}
    terms = sum(value[f"train/generator/{name}"] for name in ("l1", "jaccard", "adversarial"))
    assert terms == pytest.approx(value["train/generator/loss"], rel=1e-5)
    mean = (value["train/discriminator/real"] + value["train/discriminator/fake"]) / 2
    assert mean == pytest.approx(value["train/discriminator/loss"], rel=1e-5)


@pytest.mark.parametrize("arguments", [{"adversarial_weight": 0.0}, {"warmup_epochs": 1}])
def test_without_adversary_the_discriminator_rests(arguments, tmp_path):
    model = tiny_mobilegan(**arguments)
    before = weights(model.discriminator)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    assert same(before, model.discriminator)
    assert "train/generator/adversarial" not in trainer.callback_metrics


def test_after_the_warmup_the_discriminator_trains(tmp_path):
    model = tiny_mobilegan(warmup_epochs=1)
    before = weights(model.discriminator)
    tiny_trainer(tmp_path, max_epochs=2).fit(model, tiny_data())
    assert not same(before, model.discriminator)


def test_global_step_counts_both_optimizers(tmp_path):
    _, trainer = fit(tmp_path)
    assert trainer.global_step == 2 * 2  # two batches, two optimizers


class Calls(Callback):
    """Keeps which optimizer steps."""

    def __init__(self):
        self.order = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.order.append(pl_module.optimizers(use_pl_optimizer=False).index(optimizer))


@pytest.mark.parametrize("discriminator_first", [False, True])
def test_who_steps_first(discriminator_first, tmp_path):
    calls = Calls()
    model, trainer = fit(tmp_path, callbacks=[calls], discriminator_first=discriminator_first)
    assert calls.order == ([1, 0] * 2 if discriminator_first else [0, 1] * 2)
    assert trainer.global_step == 4
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("discriminator_first", [False, True])
def test_a_step_of_both_is_equations_1_and_2_by_hand(discriminator_first, tmp_path):
    """One batch, recomputed in plain torch: the second network to step meets the first's step."""
    model = tiny_mobilegan(
        discriminator_first=discriminator_first,
        generator_optimizer="sgd",  # Adam's first step is the gradient's sign, nearly
        generator_learning_rate=1.0,
    )
    for module in model.network.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    network, judge = copy.deepcopy(model.network), copy.deepcopy(model.discriminator)
    data = tiny_data(train_length=4, augmentation=[])
    tiny_trainer(tmp_path).fit(model, data)
    (batch,) = data.train_dataloader()
    image, mask = batch["image"], batch["mask"]

    steps = (
        torch.optim.SGD(network.parameters(), 1.0, 0.5),
        torch.optim.Adam(judge.parameters(), 2e-4, (0.5, 0.999)),
    )
    bce = torch.nn.BCEWithLogitsLoss()
    drawn = torch.sigmoid(network.train()(image))

    def step_judge():
        verdicts = judge.train()(image, mask), judge(image, drawn.detach())
        wanted = torch.ones_like(verdicts[0]), torch.zeros_like(verdicts[1])
        loss = sum(map(bce, verdicts, wanted)) / 2
        loss.backward()
        steps[1].step()

    def step_network():
        overlap = (drawn * mask).sum((1, 2, 3))
        union = (drawn + mask - drawn * mask).sum((1, 2, 3))
        jaccard = (1 - (overlap + 1) / (union + 1)).mean()
        verdict = judge(image, drawn)
        loss = bce(verdict, torch.ones_like(verdict))
        loss = loss + 0.1 * (drawn - mask).abs().mean() + 0.5 * jaccard
        loss.backward()
        steps[0].step()
        judge.zero_grad()

    for step in (step_judge, step_network) if discriminator_first else (step_network, step_judge):
        step()
    pairs = zip(model.network.parameters(), network.parameters(), strict=True)
    assert max((one - other).abs().max() for one, other in pairs) < 1e-5
    pairs = zip(model.discriminator.parameters(), judge.parameters(), strict=True)
    for one, other in pairs:
        if one.ndim > 1:  # gradients of biases before a normalization are only rounding errors
            assert ((one - other).abs() > 1e-6).float().mean() < 0.01


@pytest.mark.parametrize(
    ("arguments", "kind", "settings"),
    [
        ({}, torch.optim.Adam, {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": 0.0}),
        (
            {
                "generator_optimizer": "adamw",
                "generator_learning_rate": 5e-4,
                "betas": (0.9, 0.99),
                "generator_weight_decay": 0.02,
            },
            torch.optim.AdamW,
            {"lr": 5e-4, "betas": (0.9, 0.99), "weight_decay": 0.02},
        ),
        (
            {"generator_optimizer": "sgd", "betas": (0.8, 0.9)},
            torch.optim.SGD,
            {"lr": 2e-4, "momentum": 0.8},
        ),
    ],
)
def test_the_generators_optimizer_is_chosen(arguments, kind, settings, tmp_path):
    model, _ = fit(tmp_path, adversarial_weight=0.0, **arguments)
    generator, discriminator = model.optimizers(use_pl_optimizer=False)
    assert type(generator) is kind
    assert {key: generator.defaults[key] for key in settings} == settings
    assert {id(p) for g in generator.param_groups for p in g["params"]} == {
        id(parameter) for parameter in model.network.parameters()
    }
    assert type(discriminator) is torch.optim.Adam
    assert discriminator.defaults["betas"] == arguments.get("betas", (0.5, 0.999))
    assert (discriminator.defaults["lr"], discriminator.defaults["weight_decay"]) == (2e-4, 0.0)


def test_without_adversary_the_discriminator_is_never_called(tmp_path):
    model = tiny_mobilegan(adversarial_weight=0.0, discriminator_first=True, schedule="one-cycle")
    _forbid(model.discriminator)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*lr_scheduler.*")
        trainer = tiny_trainer(tmp_path, max_epochs=2)
        trainer.fit(model, tiny_data())
    assert trainer.global_step == 4  # only the generator steps
    assert not model.optimizers()[1].state


def _forbid(module):
    def refuse(*_):
        raise AssertionError("this must not run")

    module.register_forward_pre_hook(refuse)


def test_clipping_is_the_models_own(tmp_path):
    free, clipped = Gradients(), Gradients()
    fit(tmp_path, callbacks=[free])
    fit(tmp_path, callbacks=[clipped], generator_clip=1e-3, discriminator_clip=2e-3)
    assert min(free.norms[0]) > 1e-3
    assert min(free.norms[1]) > 2e-3
    assert max(clipped.norms[0]) <= 1e-3 * 1.001
    assert max(clipped.norms[1]) <= 2e-3 * 1.001


def test_accumulation_is_the_models_own(tmp_path):
    steps = Gradients()
    data = tiny_data(train_length=12, batch_size=4)
    fit(tmp_path, data, [steps], generator_accumulation=2, discriminator_accumulation=3)
    assert len(steps.norms[0]) == 2  # batches 2 and 3: the last one flushes
    assert len(steps.norms[1]) == 1


@pytest.mark.parametrize(
    ("argument", "fix"),
    [
        ({"gradient_clip_val": 1.0}, "generator_clip"),
        ({"accumulate_grad_batches": 2}, "generator_accumulation"),
        ({"strategy": "ddp_find_unused_parameters_false"}, 'strategy="ddp"'),
    ],
)
def test_trainer_arguments_that_cannot_work_name_the_fix(argument, fix, tmp_path):
    with pytest.raises(LesionsegError, match=fix):
        fit(tmp_path, trainer=argument)


def test_schedules_are_stepped(tmp_path):
    model, _ = fit(tmp_path, trainer={"max_epochs": 2}, schedule="poly")
    rates = [optimizer.param_groups[0]["lr"] for optimizer in model.optimizers()]
    assert rates == [0.0, 0.0]


def test_one_cycle_rises_and_falls_for_both_optimizers(tmp_path):
    class Rates(Callback):
        used = ([], [])

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            for kept, optimizer in zip(self.used, pl_module.optimizers(), strict=True):
                kept.append(optimizer.param_groups[0]["lr"])

    fit(tmp_path, tiny_data(train_length=40), [Rates()], schedule="one-cycle")
    for rates in Rates.used:
        assert len(rates) == 10
        assert rates[0] < max(rates) / 10
        assert rates[-1] < max(rates) / 100
        assert max(rates) == pytest.approx(2e-4, rel=0.1)


def test_checkpoints_are_saved_and_resume_both_optimizers(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path, monitor="val/jaccard", mode="max", save_last=True)
    _, first = fit(tmp_path, callbacks=[checkpoint], trainer={"enable_checkpointing": True})
    assert (tmp_path / "last.ckpt").exists()
    model = tiny_mobilegan()
    trainer = tiny_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, tiny_data(), ckpt_path=tmp_path / "last.ckpt")
    assert trainer.global_step == 2 * first.global_step
    states = [optimizer.optimizer.state for optimizer in model.optimizers()]
    assert all(int(state[next(iter(state))]["step"]) == 4 for state in states)


def test_discriminator_gradients_do_not_reach_the_generator(tmp_path):
    model = tiny_mobilegan()
    batch = {"image": torch.rand(2, 3, *SIZE), "mask": (torch.rand(2, 1, *SIZE) > 0.5).float()}
    logits = model(batch["image"])
    torch.stack(list(model.discriminator_terms(batch, logits.detach()).values())).mean().backward()
    assert all(parameter.grad is None for parameter in model.network.parameters())


def test_monte_carlo_prediction_gives_mean_and_uncertainty():
    model = tiny_mobilegan(samples=4).eval()
    batch = {"image": torch.rand(1, 3, *SIZE), "id": ["a"], "size": [(40, 50)]}
    with torch.no_grad():
        torch.manual_seed(3)
        first = model.predict_step(batch)[0]
        torch.manual_seed(3)
        again = model.predict_step(batch)[0]
        other = model.predict_step(batch)[0]
    assert first.uncertainty is not None
    assert first.uncertainty.shape == (40, 50)
    assert first.uncertainty.max() > 0
    assert torch.equal(first.probability, again.probability)
    assert not torch.equal(first.probability, other.probability)
    single = tiny_mobilegan().eval()
    with torch.no_grad():
        one, two = single.predict_step(batch)[0], single.predict_step(batch)[0]
    assert one.uncertainty is None
    assert torch.equal(one.probability, two.probability)


@pytest.mark.parametrize(
    "name",
    [
        "adversarial_weight",
        "l1_weight",
        "warmup_epochs",
        "samples",
        "generator_weight_decay",
        "teacher_weight",
    ],
)
def test_negative_arguments_are_refused(name):
    with pytest.raises(ValueError, match=name):
        tiny_mobilegan(**{name: -1})


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="generator_optimizer to be one of sgd, adam, adamw"):
        tiny_mobilegan(generator_optimizer="lamb")
