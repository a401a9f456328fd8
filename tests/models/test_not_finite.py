"""Losses, weights and outputs that are infinite or not a number."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_mobilegan, tiny_trainer
from PIL import Image

from lesionseg.errors import LesionsegError
from lesionseg.inference.onnx import ExportedPredictor
from lesionseg.inference.predictor import Predictor
from lesionseg.models import Segmenter

UNET = {"network": "unet", "network_arguments": {"width": 2}, "size": SIZE, "schedule": "constant"}
NAN = float("nan")


def spoiled(model):
    for parameter in model.network.parameters():
        parameter.data.fill_(NAN)
    return model


def test_a_loss_that_is_not_finite_stops_the_fit(tmp_path):
    model = Segmenter(**UNET, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(LesionsegError, match="not finite") as error:
        tiny_trainer(tmp_path, max_epochs=5).fit(model, tiny_data())
    assert (
        "in epoch 0 at step 1 (train/loss is nan; learning rate 1e+30, precision 32-true)"
        in str(error.value)
    )


def test_an_alternating_model_names_the_term_and_its_rate(tmp_path):
    model = tiny_mobilegan(
        encoder_widths=(8, 8, 8, 16), decoder_widths=(8, 8), discriminator_learning_rate=1e-5
    )
    real = model.discriminator_terms
    model.discriminator_terms = lambda *a: real(*a) | {"fake": torch.tensor(NAN)}
    with pytest.raises(
        LesionsegError, match=r"train/discriminator/fake is nan; learning rate 1e-05"
    ):
        tiny_trainer(tmp_path).fit(model, tiny_data())


def test_a_validation_loss_stops_it_before_a_checkpoint_is_written(tmp_path):
    model = Segmenter(**UNET)
    trainer = tiny_trainer(tmp_path, enable_checkpointing=True)
    model.validation_loss = lambda logits, mask: torch.tensor(NAN)
    with pytest.raises(LesionsegError, match="val/loss is nan"):
        trainer.fit(model, tiny_data())
    assert list(tmp_path.rglob("*.ckpt")) == []


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = Segmenter(**UNET)
    trainer = tiny_trainer(tmp_path, limit_val_batches=0)
    trainer.fit(model, tiny_data())
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    kept = path.read_bytes()
    spoiled(model)
    with pytest.raises(LesionsegError, match=r"weights are not finite.*precision 32-true"):
        trainer.save_checkpoint(path)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("use", ["test", "predict"])
def test_outputs_are_refused_by_test_and_predict(use, tmp_path):
    with pytest.raises(LesionsegError, match=r"output for SYN_2000000.* is not finite"):
        getattr(tiny_trainer(tmp_path), use)(spoiled(Segmenter(**UNET)), tiny_data())


def test_outputs_are_refused_by_exported_files():
    predictor = object.__new__(ExportedPredictor)
    predictor._path = "broken.onnx"
    predictor.metadata = SimpleNamespace(size=SIZE, input="uint8", threshold=0.5)
    predictor.test_time_augmentation = "none"
    predictor.run = lambda images: np.full((1, 1, *SIZE), np.nan, dtype=np.float32)
    with pytest.raises(LesionsegError, match=r"broken\.onnx is not finite"):
        predictor(Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)))


def test_outputs_are_refused_by_segment():
    predictor = Predictor(spoiled(Segmenter(**UNET)).network.eval(), SIZE)
    with pytest.raises(LesionsegError, match="not finite"):
        predictor(Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)))
