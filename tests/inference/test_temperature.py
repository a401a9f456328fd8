"""The temperature of a network, how it is fitted, and that checkpoints and exports keep it."""

import copy
import json

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image

from lesionseg import Segmenter, SyntheticDataModule, from_pretrained
from lesionseg.cli.main import main
from lesionseg.data import SyntheticLesions
from lesionseg.errors import CheckpointError
from lesionseg.export.deployable import Deployable
from lesionseg.inference import Predictor, calibrate, load_predictor
from lesionseg.inference.calibration import THRESHOLDS, Measured, fit_temperature
from lesionseg.metrics import confusion_counts, scores_from_counts
from lesionseg.networks import set_temperature, temperature_of


def small(seed=0):
    torch.manual_seed(seed)
    return Segmenter("unet", {"width": 1}, size=(32, 32)).eval()


@pytest.fixture
def checkpoint(tmp_path):
    trainer = Trainer(accelerator="cpu", logger=False, max_epochs=0, enable_progress_bar=False)
    trainer.strategy.connect(small())
    trainer.save_checkpoint(tmp_path / "best.ckpt")
    return tmp_path / "best.ckpt"


def test_logits_are_divided_in_copies_too_and_once():
    network, image = small().network, torch.rand(1, 3, 32, 32)
    plain = network(image)
    set_temperature(network, 1.0)
    assert not network._forward_hooks  # nothing changes without a temperature
    for temperature in (4.0, 2.0):  # the last one holds
        set_temperature(network, temperature)
    assert temperature_of(copy.deepcopy(network)) == 2
    torch.testing.assert_close(network(image), plain / 2)
    torch.testing.assert_close(copy.deepcopy(network)(image), plain / 2)
    torch.testing.assert_close(Deployable(network)(image), torch.sigmoid(plain / 2))
    set_temperature(network, 1.0)
    assert torch.equal(network(image), plain)
    for wrong in (0, -1.0, float("inf"), float("nan"), "2"):
        with pytest.raises(ValueError, match="temperature to be a positive number"):
            set_temperature(network, wrong)


def test_the_fitted_temperature_is_that_of_the_least_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, generator=generator, dtype=torch.float64) * 3
    lesion = torch.rand(logits.shape, generator=generator) < torch.sigmoid(logits / 2.5)
    cells = [np.histogram(logits[lesion == side], 16000, (-40, 40))[0] for side in (False, True)]
    tried = torch.linspace(2.3, 2.7, 401, dtype=torch.float64)
    losses = [
        torch.nn.functional.binary_cross_entropy_with_logits(logits / t, lesion.double())
        for t in tried
    ]
    best = tried[torch.stack(losses).argmin()].item()
    assert fit_temperature(np.array(cells, dtype=float)) == pytest.approx(best, abs=2e-3)


def test_thresholds_and_scores_are_those_of_the_masks():
    network = torch.nn.Conv2d(3, 1, 1).eval()
    torch.nn.init.constant_(network.weight, -60.0)
    torch.nn.init.constant_(network.bias, 80.0)
    images = SyntheticLesions(3, (32, 32), with_truth=True)
    found = calibrate(Predictor(network, (32, 32)), images)
    assert temperature_of(network) == found.temperature > 1
    means = []
    with torch.no_grad():
        for threshold in THRESHOLDS:
            counts = [
                confusion_counts(
                    (network(sample["image"][None]).sigmoid()[0, 0] > threshold).numpy(),
                    sample["truth"].numpy(),
                )
                for sample in (images[index] for index in range(3))
            ]
            means.append(scores_from_counts(np.array(counts))["jaccard"].mean())
    index = int(np.flatnonzero(found.threshold == THRESHOLDS)[0])
    assert means[index] == pytest.approx(max(means))
    assert found.after.summary(found.threshold)["jaccard"] == pytest.approx(means[index])
    assert "3 held-out images" in found.render()


def test_of_equal_thresholds_that_nearest_to_a_half_is_chosen():
    good, bad = [[5, 0, 0, 5]], [[2, 3, 3, 2]]  # true and false positives, false and true negatives
    counts = [good if 0.2 <= threshold <= 0.45 else bad for threshold in THRESHOLDS]
    measured = Measured(("a",), np.zeros((1, 15, 3)), np.zeros(1), np.array(counts))
    assert measured.best_threshold() == 0.45


def test_a_calibrated_checkpoint_is_used_everywhere(checkpoint, tmp_path, capsys):
    before = checkpoint.read_bytes()
    arguments = ["calibrate", str(checkpoint), "--data", "SyntheticDataModule"]
    arguments += ["--data.val_length", "2", "--device", "cpu"]
    assert main(arguments) == 0
    assert "calibration error, pooled" in capsys.readouterr().out
    assert checkpoint.read_bytes() == before
    calibrated = tmp_path / "best-calibrated.ckpt"
    assert (tmp_path / "best-calibrated.png").stat().st_size > 0
    plain, predictor = load_predictor(checkpoint), load_predictor(calibrated)
    temperature = temperature_of(predictor.network)
    assert temperature != 1
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = plain.network(image) / temperature
        torch.testing.assert_close(predictor.network(image), expected)
        model = Segmenter.load_from_checkpoint(calibrated).eval()  # of test and predict
        torch.testing.assert_close(model(image), expected)
        assert model.threshold == predictor.threshold
        folder = model.save_pretrained(tmp_path / "folder", torch.float32)
        torch.testing.assert_close(from_pretrained(folder)(image), expected)
    content = torch.load(calibrated, weights_only=True)
    assert content["lesionseg"]["calibrated_on"] == 2

    assert main(arguments) == 1  # again
    assert "best-calibrated.ckpt exists" in capsys.readouterr().err
    assert main([*arguments, "--output", str(checkpoint), "--overwrite"]) == 1
    assert "is the original, which is kept" in capsys.readouterr().err
    content["lesionseg"]["temperature"] = -1.0
    torch.save(content, calibrated)
    with pytest.raises(CheckpointError, match="temperature to be a positive number"):
        load_predictor(calibrated)


def test_a_fit_drops_the_temperature(tmp_path):
    model = small()
    set_temperature(model.network, 3.0)
    data = SyntheticDataModule(4, 2, 2, size=(32, 32), batch_size=2)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        max_epochs=1,
        limit_train_batches=1,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
    )
    trainer.fit(model, data)
    assert temperature_of(model.network) == 1


@pytest.mark.slow
def test_images_of_the_training_are_refused(tmp_path, capsys):
    folder = tmp_path / "data"
    for kind, mode in (("images", (40, 30, 20)), ("masks", 255)):
        (folder / kind).mkdir(parents=True)
        for number in range(4):
            pixels = np.zeros((16, 16) if mode == 255 else (16, 16, 3), np.uint8)
            pixels[4:9, 4:9] = mode
            Image.fromarray(pixels).save(folder / kind / f"ISIC_000000{number}.png")
    model = small()
    model.trained_on = frozenset(f"ISIC_000000{number}" for number in range(4))
    saved = model.save_pretrained(tmp_path / "model")
    arguments = ["calibrate", str(saved), "--data", "FolderDataModule", "--device", "cpu"]
    arguments += ["--data.root", str(folder), "--data.val_fraction", "0.5"]
    arguments += ["--output", str(tmp_path / "copy")]
    assert main(arguments) == 1
    assert "the model was trained on 2 of the 2 test images" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    assert main([*arguments, "--data.allow_trained_images", "true"]) == 0
    card = json.loads((tmp_path / "copy" / "card.json").read_text())
    assert card["calibrated_on"] == 2
    assert load_predictor(tmp_path / "copy").threshold == card["threshold"]


@pytest.mark.slow
def test_exported_files_need_no_side_knowledge(tmp_path):
    from lesionseg.export import export_checkpoint

    onnx = pytest.importorskip("onnxruntime")
    model = small()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        plain = model(image)
    set_temperature(model.network, 3.0)
    model.threshold = 0.3
    saved = model.save_pretrained(tmp_path / "model", torch.float32)
    export_checkpoint(saved, tmp_path / "model.onnx")
    session = onnx.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    np.testing.assert_allclose(found, torch.sigmoid(plain / 3), atol=1e-5)
    assert load_predictor(tmp_path / "model.onnx").metadata.threshold == 0.3
