"""What every model does alike: fit, test, predict, checkpoints."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest_models import BUILDERS, SIZE, tiny_data, tiny_trainer
from lightning.pytorch.callbacks import Callback
from torch import nn

from lesionseg.errors import LesionsegError
from lesionseg.models import ASNet, MobileGAN, Segmenter
from lesionseg.models.resume import seed_epoch


def test_fit_changes_every_network_and_logs_the_official_scores(build, tmp_path):
    model = build()
    before = [parameter.clone() for parameter in model.network.parameters()]
    trainer = tiny_trainer(tmp_path, max_epochs=2)
    trainer.fit(model, tiny_data())
    changed = [
        not torch.equal(one, other)
        for one, other in zip(before, model.network.parameters(), strict=True)
    ]
    assert sum(changed) > 0.5 * len(changed)
    for name in (
        "accuracy",
        "sensitivity",
        "specificity",
        "jaccard",
        "threshold_jaccard",
        "dice",
    ):
        assert 0 <= trainer.callback_metrics[f"val/{name}"] <= 1
    assert torch.isfinite(trainer.callback_metrics["val/loss"])


def test_test_scores_each_image_once_at_its_original_size(build, tmp_path):
    model = build()
    trainer = tiny_trainer(tmp_path)
    trainer.test(model, tiny_data(), verbose=False)
    assert len(model.test_table) == 3
    assert model.test_table.counts.sum(1).tolist() == [SIZE[0] * SIZE[1]] * 3


def test_predict_returns_masks_that_are_the_thresholded_probability(build, tmp_path):
    model = build(threshold=0.4)
    batches = tiny_trainer(tmp_path).predict(model, tiny_data())
    predictions = [one for batch in batches for one in batch]
    assert len(predictions) == 3
    for one in predictions:
        assert one.probability.shape == SIZE
        assert one.probability.dtype == torch.float32
        assert torch.equal(one.mask, one.probability > 0.4)


def test_predict_and_test_use_the_original_size(build):
    model = build().eval()
    batch = {
        "image": torch.rand(2, 3, *SIZE),
        "id": ["a", "b"],
        "size": [(50, 70), (20, 33)],
        "truth": [torch.full((50, 70), 255, dtype=torch.uint8), torch.zeros(20, 33).byte()],
    }
    with torch.no_grad():
        predictions = model.predict_step(batch)
        model.test_step(batch, 0)
    assert [tuple(one.mask.shape) for one in predictions] == [(50, 70), (20, 33)]
    counts = model.test_score.table().counts
    assert counts.sum(1).tolist() == [50 * 70, 20 * 33]
    assert counts[0, 0] == predictions[0].mask.sum()


@pytest.mark.slow
def test_checkpoint_loads_in_a_fresh_offline_process_without_its_data(build, tmp_path):
    model = build()
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data(size=(64, 32)))
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    image = torch.rand(1, 3, 64, 32)
    torch.save({"image": image, "logits": model.eval()(image).detach()}, tmp_path / "expected.pt")
    name = type(model).__name__
    script = f"""
import socket, sys, torch
def refuse(*a, **k): raise OSError("offline")
socket.socket.connect = refuse
from lesionseg import {name}
torch.load({str(path)!r}, weights_only=True)
model = {name}.load_from_checkpoint({str(path)!r}, weights_only=True, map_location="cpu").eval()
expected = torch.load({str(tmp_path / "expected.pt")!r}, weights_only=True)
assert model.size == (64, 32), model.size
assert torch.equal(model(expected["image"]), expected["logits"])
from lesionseg.inference import load_predictor
predictor = load_predictor({str(path)!r})
assert predictor.size == (64, 32)
assert torch.equal(predictor.network(expected["image"]), expected["logits"])
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_checkpoint_forgets_where_pretrained_weights_came_from(tmp_path):
    torch.save(ASNet().network.encoder.state_dict(), tmp_path / "encoder.pt")
    try:
        model = ASNet(size=SIZE, encoder_weights=str(tmp_path / "encoder.pt"))
    except Exception as error:  # the file must be torchvision's whole ResNet34
        pytest.fail(f"a local file of encoder weights was refused: {error}")
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    (tmp_path / "encoder.pt").unlink()
    ASNet.load_from_checkpoint(tmp_path / "model.ckpt")


class Stop(Callback):
    """Stops after the first epoch, as an interruption at its end would."""

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = True


@pytest.mark.parametrize(
    ("name", "schedule", "workers"),
    [
        *((name, "poly", 0) for name in BUILDERS),
        ("MobileGAN", "one-cycle", 2),
        ("ASNet", "one-cycle", 0),
    ],
)
def test_resumed_fit_ends_with_the_weights_of_an_uninterrupted_one(
    name, schedule, workers, tmp_path
):
    """Bit for bit, with random augmentation, dropout and noise, and whatever was drawn before."""

    def fit(seed, *callbacks, checkpoint=None):
        torch.manual_seed(seed)
        model = BUILDERS[name](schedule=schedule)
        trainer = tiny_trainer(tmp_path, max_epochs=2, callbacks=list(callbacks))
        data = tiny_data(augmentation=["horizontal_flip", "gamma"], num_workers=workers)
        trainer.fit(model, data, ckpt_path=checkpoint)
        return model, trainer

    straight, _ = fit(1)
    path = tmp_path / "half.ckpt"
    _, half = fit(1, Stop())
    assert half.current_epoch == 1
    half.save_checkpoint(path)
    resumed, trainer = fit(2, checkpoint=path)
    assert trainer.current_epoch == 2
    states = straight.state_dict(), resumed.state_dict()
    assert [key for key in states[0] if not torch.equal(states[0][key], states[1][key])] == []


def test_every_epoch_process_and_seed_draws_other_numbers():
    def drawn(*arguments):
        seed_epoch(*arguments)
        return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002

    first = drawn(7, 0, 0)
    assert first == drawn(7, 0, 0)
    for other in ((7, 1, 0), (7, 0, 1), (8, 0, 0), (2**64 - 1, 0, 0)):
        assert not {*first} & {*drawn(*other)}


def test_a_fit_without_a_checkpoint_takes_the_current_seed(tmp_path):
    model = BUILDERS["Segmenter"]()
    seeds = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        trainer = tiny_trainer(tmp_path)
        trainer.fit(model, tiny_data())
        trainer.save_checkpoint(tmp_path / "model.ckpt")
        saved = torch.load(tmp_path / "model.ckpt", weights_only=True)
        seeds.append(saved["lesionseg"]["seed"])
    assert seeds == [5, 6]


@pytest.mark.slow
def test_compile_leaves_the_names_in_a_checkpoint_alone(build, tmp_path, monkeypatch):
    compile_in_place = nn.Module.compile  # the eager backend: no compiler is needed
    monkeypatch.setattr(nn.Module, "compile", lambda self: compile_in_place(self, backend="eager"))
    model = build(compile=True)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = type(model).load_from_checkpoint(tmp_path / "model.ckpt")
    assert loaded.state_dict().keys() == build().state_dict().keys()


def test_channels_last_changes_the_memory_order_and_nothing_else(build, tmp_path):
    plain, ordered = build().eval(), build(channels_last=True).eval()
    ordered.load_state_dict(plain.state_dict())
    image = torch.rand(2, 3, *SIZE)
    torch.testing.assert_close(ordered(image), plain(image), rtol=1e-4, atol=1e-4)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(ordered, tiny_data())
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    for parameter in ordered.parameters():
        if parameter.ndim == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last)
    plain.load_state_dict(torch.load(tmp_path / "model.ckpt", weights_only=True)["state_dict"])
    logits = ordered.eval()(image)
    torch.testing.assert_close(plain(image), logits, rtol=1e-4, atol=1e-4)
    loaded = type(ordered).load_from_checkpoint(tmp_path / "model.ckpt").eval()
    torch.testing.assert_close(loaded(image), logits, rtol=0, atol=0)


def test_channels_last_trains_as_well(tmp_path):
    losses, size = [], (64, 64)  # normalization over fewer positions multiplies rounding errors
    for channels_last in (False, True):
        torch.manual_seed(1)
        model = ASNet(size=size, channels_last=channels_last)
        trainer = tiny_trainer(tmp_path, max_epochs=2)
        trainer.fit(model, tiny_data(size=size, augmentation=[]))
        losses.append(trainer.callback_metrics["train/loss_epoch"])
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-3, atol=0)


@pytest.mark.slow
def test_compiled_network_leaves_no_prefix_in_the_checkpoint(tmp_path):
    model = ASNet(size=SIZE)
    model.network = torch.compile(model.network, backend="eager")
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, tiny_data())
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = ASNet.load_from_checkpoint(tmp_path / "model.ckpt")
    assert not [key for key in loaded.state_dict() if "_orig_mod" in key]


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_stays_finite(build, precision, tmp_path):
    if precision == "16-mixed" and not torch.cuda.is_available():
        pytest.skip("fp16 autocast with loss scaling needs a GPU")
    # on CPUs torch's bf16 gradient of a 3x3 convolution of stride 2 over a single pixel is whatever
    # was in memory; below 128 pixels SegAN has such a one
    size = (128, 128) if build is BUILDERS["SegAN"] else SIZE
    model = build(size=size)
    accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    trainer = tiny_trainer(tmp_path, precision=precision, accelerator=accelerator)
    trainer.fit(model, tiny_data(size=size))
    assert all(torch.isfinite(one).all() for one in model.parameters())


@pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true"])
def test_weights_in_half_precision_are_for_test_and_predict_only(precision, tmp_path):
    model = Segmenter("unet", {"width": 4}, size=SIZE)
    trainer = tiny_trainer(tmp_path, precision=precision)
    if precision == "64-true":
        trainer.fit(model, tiny_data())
    else:
        mixed = precision.replace("true", "mixed")
        expected = f"{precision}; train with --trainer.precision {mixed} or 32-true"
        with pytest.raises(LesionsegError, match=expected):
            trainer.fit(model, tiny_data())
    if precision != "16-true" or torch.cuda.is_available():
        trainer.test(model, tiny_data(), verbose=False)


def test_defaults_are_the_papers():
    model = ASNet()
    assert model.size == (192, 256)
    assert model.input_defaults.batch_size == 12
    assert model.input_defaults.augmentation == ("horizontal_flip",)
    gan = MobileGAN()
    assert gan.size == (128, 128)
    assert gan.input_defaults.batch_size == 8
    assert gan.input_defaults.augmentation == ("horizontal_flip", "vertical_flip", "gamma", "clahe")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"size": (32,)}, "size"),
    ],
)
def test_arguments_are_checked_at_once(build, arguments, word):
    with pytest.raises(ValueError, match=word):
        build(**arguments)
