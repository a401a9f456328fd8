"""How long a fit will be, counted from the Trainer's limits and compared with what is trained."""

import math

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_gan_fcn, tiny_mobilegan, tiny_trainer
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler
from torch.utils.data import DataLoader, IterableDataset

from lesionseg.data import collate_samples
from lesionseg.errors import LesionsegError
from lesionseg.models import Segmenter
from lesionseg.models.planning import Plan, Turn, plan_fit


class Watch(Callback):
    """Keeps the learning rate of each optimizer's steps, and the plan at the fit's start."""

    def __init__(self):
        self.rates = []
        self.plan = None

    def on_train_start(self, trainer, pl_module):
        self.plan = plan_fit(trainer, pl_module.turns())
        self.rates = [[] for _ in trainer.optimizers]

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        which = [one is optimizer for one in trainer.optimizers].index(True)
        self.rates[which].append(optimizer.param_groups[0]["lr"])

    @property
    def steps(self):
        return tuple(map(len, self.rates))


def segmenter(**changes):
    return Segmenter(
        **{"network": "unet", "network_arguments": {"width": 2}, "size": SIZE} | changes
    )


def small_mobilegan(**changes):
    arguments = {"encoder_widths": (8, 8, 8, 16), "decoder_widths": (8, 8)}
    return tiny_mobilegan(**arguments | changes)


def small_gan_fcn(**changes):
    return tiny_gan_fcn(**{"network": "unet", "network_arguments": {"width": 2}} | changes)


def fit(folder, model, checkpoint=None, data=None, **trainer):
    watch = Watch()
    callbacks = [watch, *trainer.pop("callbacks", [])]
    one = tiny_trainer(folder, callbacks=callbacks, limit_val_batches=0, **trainer)
    data = (
        data
        if data is not None
        else tiny_data(size=model.size, train_length=9, batch_size=2, augmentation=[])
    )
    one.fit(model, data, ckpt_path=checkpoint)  # 4 batches in an epoch
    return watch, one


@pytest.mark.parametrize(
    ("limits", "epochs", "steps"),
    [
        ({"max_epochs": 2}, 2, 8),
        ({"max_epochs": 1, "limit_train_batches": 3}, 1, 3),
        ({"max_epochs": 2, "limit_train_batches": 0.5}, 2, 4),
        ({"max_epochs": 2, "overfit_batches": 2}, 2, 4),
        ({"fast_dev_run": 2}, 1, 2),
        ({"max_epochs": -1, "max_steps": 10}, 3, 10),
        ({"max_epochs": 2, "max_steps": 10}, 2, 8),
        ({"max_epochs": 5, "max_steps": 8}, 2, 8),
        ({"max_epochs": 2, "accumulate_grad_batches": 3}, 2, 4),
        ({"max_epochs": -1, "max_steps": 3, "accumulate_grad_batches": 3}, 2, 3),
        ({"max_epochs": 3, "callbacks": [GradientAccumulationScheduler({0: 4, 1: 2})]}, 3, 5),
        ({"max_epochs": 2, "max_time": {"hours": 1}}, 2, 8),
    ],
)
def test_a_supervised_fit_takes_as_long_as_planned(limits, epochs, steps, tmp_path):
    watch, trainer = fit(tmp_path, segmenter(schedule="one-cycle"), **limits)
    assert watch.plan == Plan(epochs, (steps,))
    assert watch.steps == (steps,)
    assert trainer.lr_scheduler_configs[0].scheduler.length == steps
    assert max(watch.rates[0]) <= 1e-3
    if steps >= 8:
        assert watch.rates[0][-1] == pytest.approx(1e-3 / 25 / 1e4)


@pytest.mark.parametrize(
    ("build", "limits", "plan"),
    [
        (small_mobilegan, {"max_epochs": 2}, Plan(2, (8, 8))),
        (small_mobilegan, {"max_epochs": -1, "max_steps": 12}, Plan(2, (6, 6))),
        (small_mobilegan, {"max_epochs": -1, "max_steps": 11}, Plan(2, (6, 6))),
        (
            lambda **k: small_mobilegan(warmup_epochs=1, **k),
            {"max_epochs": -1, "max_steps": 8},
            Plan(2, (6, 2)),
        ),
        (
            lambda **k: small_mobilegan(adversarial_weight=0.0, **k),
            {"max_epochs": -1, "max_steps": 6},
            Plan(2, (6, 0)),
        ),
        (
            lambda **k: small_mobilegan(
                generator_accumulation=3, discriminator_accumulation=2, **k
            ),
            {"max_epochs": -1, "max_steps": 6},
            Plan(2, (3, 3)),
        ),
        (small_gan_fcn, {"max_epochs": -1, "max_steps": 14}, Plan(3, (4, 4, 6))),
        (small_gan_fcn, {"max_epochs": 2, "limit_train_batches": 2}, Plan(2, (2, 2, 2))),
    ],
)
def test_an_alternating_fit_takes_as_long_as_planned(build, limits, plan, tmp_path):
    """``max_steps`` counts the steps of all optimizers."""
    watch, trainer = fit(tmp_path, build(schedule="one-cycle"), **limits)
    assert watch.plan == plan
    assert watch.steps == plan.steps
    assert trainer.lr_scheduler_configs[-1].scheduler.length == max(plan.steps[-1], 1)


@pytest.mark.parametrize("build", [segmenter, small_mobilegan])
def test_poly_reaches_into_the_last_epoch_that_max_steps_allows(build, tmp_path):
    both = 1 if build is segmenter else 2
    model = build(schedule="poly")
    watch, _ = fit(tmp_path, model, max_epochs=-1, max_steps=12 * both)
    peak = watch.rates[0][0]
    expected = [peak * (1 - epoch / 3) ** 0.9 for epoch in range(3) for _ in range(4)]
    assert watch.rates[0] == pytest.approx(expected)


@pytest.mark.parametrize("build", [segmenter, small_mobilegan])
def test_one_cycle_is_torchs(build, tmp_path):
    watch, _ = fit(tmp_path, build(schedule="one-cycle"), max_epochs=3)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-3 if build is segmenter else 2e-4, total_steps=12, cycle_momentum=False
    )
    expected = []
    for _ in range(12):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert watch.rates[0] == pytest.approx(expected, rel=1e-9)


def test_a_time_limit_ends_a_fit_at_a_constant_rate(tmp_path):
    model = segmenter(schedule="constant")
    _, trainer = fit(tmp_path, model, max_epochs=-1, max_time={"seconds": 1})
    assert trainer.current_epoch > 1


@pytest.mark.parametrize("schedule", ["poly", "one-cycle"])
@pytest.mark.parametrize("build", [segmenter, small_mobilegan, small_gan_fcn])
def test_what_cannot_be_planned_is_refused(build, schedule, tmp_path):
    with pytest.raises(LesionsegError, match=r"max_time.*give max_epochs or max_steps"):
        fit(tmp_path, build(schedule=schedule), max_epochs=-1, max_time={"seconds": 1})


class Endless(IterableDataset):
    """Yields samples without saying how many."""

    def __iter__(self):
        data = tiny_data(size=SIZE, train_length=4)
        data.setup("fit")
        return iter([data.datasets["train"][index] for index in range(4)])


def test_data_without_a_length_are_planned_by_the_limit_that_counts(tmp_path):
    def loader():
        return DataLoader(Endless(), batch_size=2, collate_fn=collate_samples)

    one_cycle = segmenter(schedule="one-cycle")
    watch, _ = fit(tmp_path, one_cycle, data=loader(), max_epochs=-1, max_steps=3)
    assert watch.plan == Plan(None, (3,))
    assert watch.steps == (3,)
    watch, _ = fit(tmp_path, segmenter(schedule="poly"), data=loader(), max_epochs=2)
    assert watch.rates[0][-1] == pytest.approx(1e-3 * 0.5**0.9)
    with pytest.raises(LesionsegError, match="poly"):
        fit(tmp_path, segmenter(schedule="poly"), data=loader(), max_epochs=-1, max_steps=3)
    with pytest.raises(LesionsegError, match="one-cycle"):
        fit(tmp_path, segmenter(schedule="one-cycle"), data=loader(), max_epochs=2)


@pytest.mark.parametrize(
    ("build", "schedule"),
    [
        (segmenter, "poly"),
        (segmenter, "one-cycle"),
        (small_mobilegan, "poly"),
        (small_gan_fcn, "poly"),
    ],
)
def test_a_longer_fit_continues_where_it_would_be(build, schedule, tmp_path):
    """With the learning rates that a fit of the new length has from there on."""
    path = tmp_path / "model.ckpt"
    whole, _ = fit(tmp_path, build(schedule=schedule), max_epochs=4)
    _, short = fit(tmp_path, build(schedule=schedule), max_epochs=2)
    short.save_checkpoint(path)
    with pytest.warns(UserWarning, match=r"planned for \d+ (epochs|steps), this one for \d+"):
        longer, trainer = fit(tmp_path, build(schedule=schedule), path, max_epochs=4)
    assert trainer.current_epoch == 4
    assert sum(longer.steps) >= 8
    for rates, reference in zip(longer.rates, whole.rates, strict=True):
        assert rates == pytest.approx(reference[len(reference) - len(rates) :])
        assert all(rate > 0 for rate in rates)


def test_other_batches_leave_the_rest_of_one_cycle_whole(tmp_path):
    """After 4 of 8 steps, an epoch of batches of one image brings 9 more."""
    _, first = fit(tmp_path, segmenter(schedule="one-cycle"), max_epochs=1)
    first.save_checkpoint(tmp_path / "model.ckpt")
    data = tiny_data(size=SIZE, train_length=9, batch_size=1, augmentation=[])
    watch, trainer = fit(
        tmp_path, segmenter(schedule="one-cycle"), tmp_path / "model.ckpt", data, max_epochs=2
    )
    assert trainer.lr_scheduler_configs[0].scheduler.length == 4 + len(watch.rates[0])
    assert watch.rates[0][-1] == pytest.approx(1e-3 / 25 / 1e4)


@pytest.mark.parametrize("schedule", ["poly", "one-cycle"])
def test_checkpoints_of_torchs_schedules_are_taken(schedule, tmp_path):
    """Earlier versions used them."""
    _, trainer = fit(tmp_path, segmenter(schedule=schedule), max_epochs=1)
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    saved = torch.load(path, weights_only=True)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    old = (
        torch.optim.lr_scheduler.PolynomialLR(optimizer, 2, 0.9)
        if schedule == "poly"
        else torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, 8, cycle_momentum=False)
    )
    for _ in range(1 if schedule == "poly" else 4):
        optimizer.step()
        old.step()
    state = {key: value for key, value in old.state_dict().items() if not callable(value)}
    state.pop("_anneal_func", None)
    saved["lr_schedulers"] = [state]
    group = {key: value for key, value in optimizer.param_groups[0].items() if "lr" in key}
    saved["optimizer_states"][0]["param_groups"][0].update(group)
    torch.save(saved, path)
    reference, _ = fit(tmp_path, segmenter(schedule=schedule), max_epochs=2)
    resumed, _ = fit(tmp_path, segmenter(schedule=schedule), path, max_epochs=2)
    assert resumed.rates[0] == pytest.approx(reference.rates[0][4:])


def test_turns_count_the_last_batch():
    turn = Turn(accumulation=3, first_epoch=1, end_epoch=4)
    assert [turn.steps(0, last, 5) for last in range(6)] == [0, 0, 0, 1, 1, 2]
    assert turn.steps(3, 5, 5) == 1
    assert [turn.active(epoch) for epoch in range(5)] == [False, True, True, True, False]
    assert Turn().active(10**9)
    assert math.isfinite(Turn().steps(0, 10**9, 10**9))
