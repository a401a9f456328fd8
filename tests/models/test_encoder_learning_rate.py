"""A learning rate of its own for the encoder, and the one-cycle schedule's warm-up."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from lesionseg import ASNet, Segmenter
from lesionseg.data import SyntheticLesions, collate_samples
from lesionseg.models.optimizers import create_schedule
from lesionseg.models.supervised import encoder_of


class RecordRates:
    """Learning rates of both groups at each step, by way of the optimizer's hook."""

    def __init__(self, optimizer):
        self.rates = []
        optimizer.register_step_pre_hook(self)

    def __call__(self, optimizer, *_):
        self.rates.append([group["lr"] for group in optimizer.param_groups])


class RecordingSegmenter(Segmenter):
    def on_train_start(self):
        super().on_train_start()
        self.record = RecordRates(self.optimizers().optimizer)


def test_encoder_has_a_learning_rate_of_its_own_throughout_the_schedule(tmp_path):
    model = RecordingSegmenter(
        network="asnet-lite",
        network_arguments={"adaptive_scale": False},
        learning_rate=1e-3,
        encoder_learning_rate=1e-4,
        warmup_fraction=0.5,
        size=(32, 32),
    )
    loader = DataLoader(
        SyntheticLesions(length=8, size=(32, 32)), batch_size=2, collate_fn=collate_samples
    )
    trainer = Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, loader)
    others, encoder = model.optimizers().optimizer.param_groups
    theirs = set(map(id, model.network.encoder.parameters()))
    assert {id(p) for p in encoder["params"]} == theirs
    assert not theirs & {id(p) for p in others["params"]}
    assert len(others["params"]) + len(encoder["params"]) == len(list(model.network.parameters()))
    assert len(model.record.rates) == 4
    for rest, slow in model.record.rates:
        assert slow == pytest.approx(rest / 10)
    assert max(rest for rest, _ in model.record.rates) == pytest.approx(1e-3)


@pytest.mark.parametrize(("fraction", "peak"), [(0.3, 2), (0.6, 5)])
def test_warmup_fraction_places_the_peak(fraction, peak):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = create_schedule(
        "one-cycle", optimizer, epochs=1, steps=10, warmup_fraction=fraction
    )
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates.index(max(rates)) == peak
    assert max(rates) == pytest.approx(1.0)


def test_smp_encoders_have_one_too():
    model = Segmenter("smp:unet/mobilenet_v2", encoder_learning_rate=1e-4)
    groups = model._parameter_groups()
    assert {id(p) for p in groups[1]["params"]} == set(
        map(id, model.network.model.encoder.parameters())
    )


def test_a_network_without_encoder_is_named():
    with pytest.raises(ValueError, match=r"network to have an encoder .* got Conv2d"):
        encoder_of(torch.nn.Conv2d(3, 1, 1))


@pytest.mark.parametrize(
    "wrong", [{"encoder_learning_rate": 0.0}, {"warmup_fraction": 0.0}, {"warmup_fraction": 1.0}]
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ASNet(encoder="efficientnet_lite0", **wrong)
