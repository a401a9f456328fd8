import os
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from lesionseg.callbacks.best_checkpoint import BestCheckpoint
from lesionseg.callbacks.csv_logger import RunLogger
from lesionseg.callbacks.last_checkpoint import LastCheckpoint
from lesionseg.data import SyntheticDataModule
from lesionseg.errors import LesionsegError, NothingToTrainError
from lesionseg.models import Segmenter


def fit(folder, *callbacks, epochs=3, checkpoint=None, **arguments):
    """Validation worsens: the first epoch is the best."""

    class Model(Segmenter):
        def on_validation_epoch_end(self):
            super().on_validation_epoch_end()
            self.log("worse", float(self.current_epoch))

    torch.manual_seed(0)
    model = Model("segan", {"width": 2}, schedule="constant")
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=RunLogger(folder, name="", version="run"),
        callbacks=[*callbacks, LastCheckpoint()],
        enable_progress_bar=False,
        enable_model_summary=False,
        **arguments,
    )
    data = SyntheticDataModule(8, 2, 2, size=(32, 32), batch_size=2)
    trainer.fit(model, data, ckpt_path=checkpoint)
    return trainer


def load(folder, name):
    return torch.load(folder / "run" / "checkpoints" / f"{name}.ckpt", weights_only=True)


@pytest.mark.parametrize("interval", [1.0, 0.5])
def test_it_is_of_the_last_epochs_end(tmp_path, interval):
    best = ModelCheckpoint(monitor="worse", filename="best", enable_version_counter=False)
    fit(tmp_path, best, val_check_interval=interval)
    assert load(tmp_path, "best")["epoch"] == 0
    last = load(tmp_path, "last")
    assert last["epoch"] == 2
    assert last["global_step"] == 12
    assert Path(fit(tmp_path, best, checkpoint="last", epochs=4).ckpt_path).name == "last.ckpt"
    assert load(tmp_path, "best")["epoch"] == 0  # it was taken up with its score
    assert load(tmp_path, "last")["epoch"] == 3


def test_a_fit_that_was_stopped_early_stays_so(tmp_path):
    stop = EarlyStopping("worse", patience=1)
    trainer = fit(tmp_path, stop, epochs=9)
    assert trainer.current_epoch == 2
    with pytest.raises(NothingToTrainError, match="early stopping"):
        fit(tmp_path, EarlyStopping("worse", patience=1), epochs=9, checkpoint="last")
    assert load(tmp_path, "last")["global_step"] == trainer.global_step


@pytest.mark.parametrize("limits", [{"epochs": 1}, {"epochs": 9, "max_steps": 4}])
def test_a_fit_with_nothing_left_is_refused(tmp_path, limits):
    fit(tmp_path, epochs=1)
    before = (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes()
    with pytest.raises(NothingToTrainError, match=r"nothing left to train: .*last\.ckpt"):
        fit(tmp_path, checkpoint="last", **limits)
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on open files")
def test_it_clears_away_what_a_killed_fit_left(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    left = folder / ".unfinished-abc.ckpt"
    left.touch()
    os.utime(left, (0, 0))
    fit(tmp_path, epochs=1)
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]


def test_a_fit_that_a_limit_ended_stays_so(tmp_path):
    def stopping():
        return EarlyStopping("worse", patience=9, divergence_threshold=0.5)

    assert fit(tmp_path, stopping(), epochs=9).current_epoch == 2
    with pytest.raises(NothingToTrainError):
        fit(tmp_path, stopping(), epochs=9, checkpoint="last")


def best():
    return BestCheckpoint(monitor="worse", filename="best", enable_version_counter=False)


def test_the_best_epoch_comes_along_into_another_folder(tmp_path, monkeypatch):
    fit(tmp_path, best())
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    trainer = fit(tmp_path / "new", best(), checkpoint=last, epochs=4)
    assert load(tmp_path / "new", "best")["epoch"] == 0
    assert trainer.checkpoint_callback.best_model_path.startswith(str(tmp_path / "new"))
    monkeypatch.chdir(tmp_path)
    fit(Path(), best(), checkpoint="last", epochs=5)  # the same folder, spelled differently
    assert load(tmp_path, "best")["epoch"] == 0
    (tmp_path / "new").rename(tmp_path / "moved")
    fit(tmp_path / "moved", best(), checkpoint="last", epochs=5)
    assert load(tmp_path / "moved", "best")["epoch"] == 0


def test_two_fits_do_not_share_a_folder(tmp_path):
    class Second(Callback):
        said = ""

        def on_train_epoch_start(self, trainer, model):
            with pytest.raises(LesionsegError) as error:
                fit(tmp_path)
            self.said = str(error.value)

    second = Second()
    fit(tmp_path, second, epochs=1)
    assert f"another process trains in {tmp_path / 'run'}" in second.said
    assert not (tmp_path / "run" / ".lock").exists()
    fit(tmp_path, epochs=1)
