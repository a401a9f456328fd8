"""``test --pretrained``, ``fit --model.init_from NAME`` and ``export NAME``."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import lesionseg
from lesionseg import Segmenter
from lesionseg.checkpoints import read_checkpoint
from lesionseg.cli import main as cli

QUIET = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]
DRAWN = [
    *("--data=SyntheticDataModule", "--data.train_length=4", "--data.val_length=2"),
    *("--data.test_length=2", "--data.batch_size=2"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A tiny model's folder, beside which commands run."""
    monkeypatch.chdir(tmp_path)
    model = Segmenter("segan", network_arguments={"width": 2}, size=(32, 32), learning_rate=0.02)
    model.trained_on = frozenset({"ISIC_0000001", "ISIC_0000009"})
    return model.save_pretrained("tiny")


def test_a_pretrained_model_is_tested(folder, tmp_path, capsys):
    assert cli.main(["test", "--pretrained", "tiny", *QUIET, *DRAWN]) == 0
    (record,) = tmp_path.rglob("scores.json")
    test = json.loads(record.read_text())["test"]
    assert test["size"] == [32, 32]
    assert test["checkpoint"] == "tiny/model.safetensors"
    assert test["model"]["init_args"]["learning_rate"] == 0.02


def test_results_of_a_packaged_model_go_to_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [*QUIET, *DRAWN, "--data.size=[32,32]"]
    assert cli.main(["test", "--pretrained=mobilegan", *options]) == 0
    (record,) = tmp_path.rglob("scores.json")
    assert record.parent.parent == tmp_path / "runs"
    assert record.parent.name.startswith("mobilegan-test-")


def test_images_that_were_trained_on_are_refused(folder, capsys):
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 8:20] = 255
    for kind, content in (("images", np.stack([mask] * 3, -1)), ("masks", mask)):
        (folder.parent / kind).mkdir()
        for name in ("ISIC_0000001", "ISIC_0000009"):
            Image.fromarray(content).save(folder.parent / kind / f"{name}.png")
    data = ["--data=FolderDataModule", "--data.root=."]
    assert cli.main(["test", "--pretrained", "tiny", *QUIET, *data]) == 1
    assert "the model was trained on" in capsys.readouterr().err


def test_an_unknown_name_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["test", "--pretrained", "asnet-lit", *DRAWN]) == 1
    assert "did you mean asnet-lite" in capsys.readouterr().err


def test_a_fit_starts_from_a_pretrained_model_of_its_class(folder, tmp_path):
    fit = ["fit", "--model.init_from=tiny", "--trainer.max_epochs=1", *QUIET, *DRAWN]
    assert cli.main([*fit, "--model.learning_rate=1e-12"]) == 0
    (path,) = tmp_path.rglob("best.ckpt")
    checkpoint = read_checkpoint(path)
    assert checkpoint["hyper_parameters"]["_class_path"].endswith(".Segmenter")
    assert checkpoint["hyper_parameters"]["learning_rate"] == 1e-12
    assert "ISIC_0000001" in checkpoint["lesionseg"]["trained_on"]
    before = lesionseg.from_pretrained(folder).state_dict()
    for name, value in checkpoint["state_dict"].items():
        if name.endswith("weight"):
            torch.testing.assert_close(value, before[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_pretrained_model_is_exported(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((90, 67), 60).convert("RGB").save("photo.png")
    assert cli.main(["export", "mobilegan"]) == 0
    expected = lesionseg.segment("photo.png", "mobilegan").probability
    found = lesionseg.segment("photo.png", "mobilegan.onnx").probability
    np.testing.assert_allclose(found, expected, atol=1e-3)
