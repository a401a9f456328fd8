"""A callback that monitors a metric which is not logged, through the real command line."""

import pytest
from torch import nn

from lesionseg.callbacks.monitor_check import missing_metric
from lesionseg.cli import main as cli
from lesionseg.models.supervised import SupervisedModule

FIT = [
    "fit",
    "--model=test_monitor_check.Tiny",
    "--data=SyntheticDataModule",
    "--data.size=32",
    "--data.batch_size=2",
    "--data.train_length=2",
    "--data.val_length=2",
    "--trainer.max_epochs=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--overlays.images=0",
]
STOPPING = "--trainer.callbacks+=EarlyStopping"


class Tiny(SupervisedModule):
    """The least that can be trained; counts its training batches."""

    trained = 0

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 1, 1), schedule="constant")

    def training_step(self, batch, batch_idx):
        Tiny.trained += 1
        return super().training_step(batch, batch_idx)


@pytest.fixture
def said(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["lesionseg"])
    monkeypatch.setattr(Tiny, "trained", 0)

    def run(*arguments):
        code = cli.main([*FIT, *arguments])
        lines = [line for line in capfd.readouterr().err.splitlines() if "error: " in line]
        return code, lines

    return run


METRICS = (
    "val/accuracy, val/dice, val/jaccard, val/loss, val/sensitivity, val/specificity, "
    "val/threshold_jaccard."
)


def test_a_misspelled_validation_metric_is_refused_before_training(said):
    code, lines = said(STOPPING, "--trainer.callbacks.monitor=val/jacard")
    assert code == 1
    assert lines == [
        "lesionseg: error: EarlyStopping monitors the metric 'val/jacard', which is not logged. "
        f"Did you mean val/jaccard? Metrics are {METRICS}"
    ]
    assert Tiny.trained == 0


def test_the_best_checkpoint_is_looked_at_too(said):
    code, lines = said("--checkpoint.monitor=val/los")
    assert code == 1
    assert "BestCheckpoint monitors the metric 'val/los'" in lines[0]
    assert Tiny.trained == 0


def test_another_metric_is_refused_where_lightning_does(said):
    code, lines = said(STOPPING, "--trainer.callbacks.monitor=jaccard")
    assert code == 1
    assert len(lines) == 1
    assert "EarlyStopping monitors the metric 'jaccard'" in lines[0]
    assert "Did you mean val/jaccard? Metrics are train/loss, train/loss_epoch," in lines[0]
    assert Tiny.trained == 1


def test_without_a_sanity_check_the_checkpoint_is_refused_later(said):
    code, lines = said("--checkpoint.monitor=val/los", "--trainer.num_sanity_val_steps=0")
    assert code == 1
    assert "ModelCheckpoint monitors the metric 'val/los'" in lines[0]
    assert lines[0].endswith(METRICS)


@pytest.mark.parametrize(
    "arguments",
    [
        [STOPPING, "--trainer.callbacks.monitor=val/jaccard"],
        [STOPPING, "--trainer.callbacks.monitor=val/no", "--trainer.callbacks.strict=false"],
        [STOPPING, "--trainer.callbacks.monitor=train/loss"],
    ],
)
def test_what_is_logged_or_need_not_be_is_accepted(arguments, said):
    assert said(*arguments) == (0, [])


def test_only_lightnings_words_are_replaced():
    plateau = RuntimeError(
        "ReduceLROnPlateau conditioned on metric val/los which is not available. Available "
        "metrics are: ['train/loss', 'val/loss']. Condition can be set using `monitor` key in "
        "lr scheduler dict"
    )
    assert missing_metric(plateau) == (
        "ReduceLROnPlateau monitors the metric 'val/los', which is not logged. Did you mean "
        "val/loss? Metrics are train/loss, val/loss."
    )
    assert missing_metric(RuntimeError("metric val/los which is not available")) is None
