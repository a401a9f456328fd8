"""Fits that start from a checkpoint's weights."""

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_trainer

from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.models import Segmenter

UNET = {"network": "unet", "network_arguments": {"width": 2}, "size": SIZE}


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of a fit at a learning rate, of an image of the ISIC archive."""
    model = Segmenter(**UNET, schedule="constant", learning_rate=0.5, optimizer="sgd")
    trainer = tiny_trainer(tmp_path, limit_val_batches=0)
    trainer.fit(model, tiny_data())
    model.trained_on |= {"ISIC_0000001"}
    trainer.save_checkpoint(tmp_path / "first.ckpt")
    return tmp_path / "first.ckpt"


def start(folder, model, **trainer):
    """Fit without taking a step that changes anything."""
    one = tiny_trainer(folder, limit_val_batches=0, **trainer)
    one.fit(model, tiny_data())
    return one


def test_every_model_starts_from_its_own_checkpoint(build, tmp_path):
    first = build(schedule="constant")
    trainer = tiny_trainer(tmp_path, max_epochs=0)
    trainer.fit(first, tiny_data())
    path = tmp_path / "first.ckpt"
    trainer.save_checkpoint(path)
    second = build(schedule="constant", init_from=str(path))
    start(tmp_path, second, max_epochs=0)
    states = first.state_dict(), second.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_only_the_weights_come_from_it(saved, tmp_path):
    model = Segmenter(**UNET, schedule="constant", learning_rate=1e-6, init_from=str(saved))
    trainer = start(tmp_path, model)
    assert trainer.current_epoch == 1
    assert trainer.global_step == 2
    assert trainer.optimizers[0].param_groups[0]["lr"] == 1e-6
    before = torch.load(saved, weights_only=True)["state_dict"]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name], rtol=0, atol=1e-5)


def test_what_it_was_trained_on_counts(saved, tmp_path):
    model = Segmenter(**UNET, init_from=str(saved))
    trainer = start(tmp_path, model)
    trainer.save_checkpoint(tmp_path / "second.ckpt")
    facts = torch.load(tmp_path / "second.ckpt", weights_only=True)["lesionseg"]
    assert "ISIC_0000001" in facts["trained_on"]


def test_the_saved_checkpoint_does_not_need_it(saved, tmp_path):
    trainer = start(tmp_path, Segmenter(**UNET, init_from=str(saved)))
    trainer.save_checkpoint(tmp_path / "second.ckpt")
    saved.unlink()
    loaded = Segmenter.load_from_checkpoint(tmp_path / "second.ckpt")
    assert loaded.hparams["init_from"] is None
    assert b"first.ckpt" not in (tmp_path / "second.ckpt").read_bytes()
    longer = tiny_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    again = Segmenter(**UNET, init_from=str(saved))  # the same command, to resume
    longer.fit(again, tiny_data(), ckpt_path=tmp_path / "second.ckpt")
    assert longer.current_epoch == 2


def test_another_network_is_refused(saved, tmp_path):
    arguments = UNET | {"network_arguments": {"width": 4}}
    with pytest.raises(CheckpointError, match=r"first\.ckpt is not that of the model"):
        start(tmp_path, Segmenter(**arguments, init_from=str(saved)))


def test_weights_that_are_not_finite_are_refused(saved, tmp_path):
    checkpoint = torch.load(saved, weights_only=True)
    next(iter(checkpoint["state_dict"].values())).view(-1)[0] = float("nan")
    torch.save(checkpoint, saved)
    with pytest.raises(CheckpointError, match="not finite"):
        start(tmp_path, Segmenter(**UNET, init_from=str(saved)))


def test_weights_alone_are_refused_for_resuming_with_the_way_out(saved, tmp_path):
    checkpoint = torch.load(saved, weights_only=True)
    del checkpoint["optimizer_states"]
    torch.save(checkpoint, saved)
    with pytest.raises(LesionsegError, match="init_from"):
        tiny_trainer(tmp_path).fit(Segmenter(**UNET), tiny_data(), ckpt_path=saved)
