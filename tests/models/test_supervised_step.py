"""ASNet and Segmenter, step by step against plain torch."""

import copy

import by_hand
import pytest
import torch
from by_hand import Pixels, Record, same
from conftest_models import tiny_trainer

from lesionseg.models import ASNet, Segmenter

EPOCHS, BATCHES = 3, 2


def fit(model, tmp_path, epochs=EPOCHS):
    """Train a stand-in network; return what happened and the network before."""
    model.network = Pixels()
    before = copy.deepcopy(model.network).double()
    record = Record(network=model.network)
    trainer = tiny_trainer(
        tmp_path, max_epochs=epochs, callbacks=[record], precision=by_hand.PRECISION
    )
    trainer.fit(model, by_hand.loader(by_hand.batches(BATCHES)))
    return record, before


def check(record, network, optimizer, rate_of, loss_of=by_hand.joint_loss, epochs=EPOCHS):
    """Compare every step of a fit with the same step by hand."""
    made = by_hand.batches(BATCHES)
    for step in range(epochs * BATCHES):
        batch = made[step % BATCHES]
        loss = loss_of(network(batch["image"]), batch["mask"])
        slopes = by_hand.gradients(loss, network)
        rate = rate_of(step)
        assert record.losses[step]["train/loss"] == pytest.approx(loss.item(), rel=1e-6)
        assert record.rates["network"][step] == pytest.approx(rate, rel=1e-9)
        same(record.gradients["network"][step], slopes)
        optimizer.step(slopes, rate)
        same(record.weights["network"][step], network.parameters())
    assert len(record.weights["network"]) == epochs * BATCHES


def test_asnet_trains_as_its_paper_says(tmp_path):
    """Section 2.5: SGD at 0.01, momentum 0.9, weight decay 1e-4, poly of power 0.9."""
    record, network = fit(ASNet(), tmp_path)
    optimizer = by_hand.SGD(network, momentum=0.9, decay=1e-4)
    check(record, network, optimizer, lambda step: by_hand.poly(0.01, step // BATCHES, EPOCHS))


def test_asnets_numbers_are_arguments(tmp_path):
    arguments = {"learning_rate": 0.1, "momentum": 0.4, "weight_decay": 0.2, "power": 2.0}
    record, network = fit(ASNet(**arguments), tmp_path)
    optimizer = by_hand.SGD(network, momentum=0.4, decay=0.2)
    check(record, network, optimizer, lambda step: by_hand.poly(0.1, step // BATCHES, EPOCHS, 2.0))


@pytest.mark.parametrize("arguments", [{}, {"warmup_fraction": 0.5}])
def test_segmenter_trains_by_adamw_and_one_cycle(arguments, tmp_path):
    epochs, rising = 10, arguments.get("warmup_fraction", 0.3)
    record, network = fit(Segmenter("mobilegan", **arguments), tmp_path, epochs)
    optimizer = by_hand.Adam(network, betas=(0.9, 0.999), decay=1e-2, decoupled=True)
    steps = epochs * BATCHES

    def rate(step):
        return by_hand.one_cycle(1e-3, step, steps, rising)

    check(record, network, optimizer, rate, epochs=epochs)


def test_adam_takes_momentum_as_its_first_beta_and_adds_the_decay_to_the_gradient(tmp_path):
    model = Segmenter(
        "mobilegan", optimizer="adam", momentum=0.6, weight_decay=0.3, schedule="constant"
    )
    record, network = fit(model, tmp_path)
    optimizer = by_hand.Adam(network, betas=(0.6, 0.999), decay=0.3)
    check(record, network, optimizer, lambda step: 1e-3)


@pytest.mark.parametrize(
    ("loss", "by_formula"),
    [
        ("dice", by_hand.dice_loss),
        ("jaccard", by_hand.jaccard_loss),
        (
            "joint-positive",
            lambda logits, mask: (
                -0.5 * (mask * logits.sigmoid().log()).mean() + by_hand.dice_loss(logits, mask)
            ),
        ),
    ],
)
def test_the_loss_is_the_one_asked_for(loss, by_formula, tmp_path):
    model = Segmenter("mobilegan", loss=loss, schedule="constant")
    record, network = fit(model, tmp_path, epochs=1)
    optimizer = by_hand.Adam(network, betas=(0.9, 0.999), decay=1e-2, decoupled=True)
    check(record, network, optimizer, lambda step: 1e-3, by_formula, epochs=1)


def test_validation_logs_the_training_loss(tmp_path):
    model = Segmenter("mobilegan")
    model.network = Pixels()
    (batch,) = made = by_hand.batches(1)
    trainer = tiny_trainer(tmp_path, precision=by_hand.PRECISION)
    trainer.validate(model, by_hand.loader(made), verbose=False)
    with torch.no_grad():
        expected = by_hand.joint_loss(model.network(batch["image"]), batch["mask"])
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(float(expected), rel=1e-5)
