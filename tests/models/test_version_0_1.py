"""A fit of version 0.1, before modules moved: its checkpoint and config.yaml load, resume and test.

Both were made by that version: a U-Net of width 2, one epoch on four synthetic images. The numbers
that are expected are its own.
"""

import json
import shutil
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from lesionseg import GANFCN, Segmenter
from lesionseg._moved import MOVED
from lesionseg.cli.main import main
from lesionseg.export import ExportOptions
from lesionseg.inference import ExportMetadata, load_predictor

FIXTURES = Path(__file__).parents[1] / "fixtures"
CHECKPOINT = FIXTURES / "version-0.1.ckpt"
CONFIG = FIXTURES / "version-0.1.yaml"
RUN = Path("runs/old")

pytestmark = pytest.mark.filterwarnings("ignore:lesionseg.*is now lesionseg:DeprecationWarning")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The current folder has the fit's run folder."""
    monkeypatch.chdir(tmp_path)
    (RUN / "checkpoints").mkdir(parents=True)
    shutil.copy(CONFIG, RUN / "config.yaml")
    shutil.copy(CHECKPOINT, RUN / "checkpoints/last.ckpt")
    return RUN


def test_the_config_names_what_has_moved():
    text = CONFIG.read_text()
    for name in ("evaluation.run_logger.RunLogger", "models.checkpoint_io.AtomicCheckpointIO"):
        assert f"lesionseg.{name}" in text
        assert name.rpartition(".")[0] in MOVED
    augmentation = yaml.safe_load(text)["data"]["init_args"]["augmentation"]
    assert {"colour_jitter", "colour_constancy"} < set(augmentation)


def test_the_checkpoint_loads_as_a_model_and_as_a_predictor():
    model = Segmenter.load_from_checkpoint(CHECKPOINT).eval()
    predictor = load_predictor(CHECKPOINT)
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        # The model's memory order is channels-last.
        torch.testing.assert_close(model(image), predictor.network(image), rtol=0, atol=1e-4)
    assert model.size == predictor.size == (32, 32)
    assert model.hparams.network_arguments == {"width": 2}


@pytest.mark.parametrize(
    ("checkpoint", "folder"),
    [("last", RUN), (CHECKPOINT, Path("runs/resumed"))],
    ids=["in its folder", "in a new folder"],
)
def test_the_fit_resumes(run, checkpoint, folder):
    options = ["--ckpt_path", str(checkpoint), "--trainer.max_epochs", "2"]
    if folder != RUN:
        options += ["--trainer.logger.init_args.version", folder.name]
    assert main(["fit", "--config", str(run / "config.yaml"), *options]) == 0
    metrics = pd.read_csv(folder / "metrics.csv")
    assert set(metrics["epoch"]) == {1}
    assert metrics["val/jaccard"].max() == pytest.approx(0.10758, abs=2e-4)
    assert metrics["val/loss"].max() == pytest.approx(1.12396, abs=2e-4)
    last = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert last["epoch"] == 1
    assert last["global_step"] == 4


def test_the_checkpoint_is_tested(run):
    checkpoint = run / "checkpoints/last.ckpt"
    assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(checkpoint)]) == 0
    (scores,) = run.glob("**/scores.json")
    mean = json.loads(scores.read_text())["macro_average"]
    assert mean["jaccard"] == pytest.approx(0.136725, abs=1e-5)
    assert mean["accuracy"] == pytest.approx(0.469238, abs=1e-5)


def test_arguments_and_weights_of_gan_fcn_have_their_old_names():
    arguments = {"network": "unet", "network_arguments": {"width": 2}}
    with pytest.warns(FutureWarning, match="synthesizer_"):
        model = GANFCN(**arguments, synthesiser_width=3, synthesiser_depth=4)
    assert model.hparams.synthesizer_width == 3
    assert "synthesiser_width" not in model.hparams
    current = GANFCN(**arguments, synthesizer_width=3, synthesizer_depth=4)
    state = {
        name.replace("synthesizer.", "synthesiser."): value.clone()
        for name, value in current.state_dict().items()
    }
    assert any(name.startswith("synthesiser.") for name in state)
    checkpoint = {"state_dict": state}
    model.on_load_checkpoint(checkpoint)
    model.load_state_dict(checkpoint["state_dict"])
    for value, expected in zip(model.parameters(), current.parameters(), strict=True):
        assert torch.equal(value, expected)
    with pytest.warns(FutureWarning, match="GANFCN.synthesize"):
        assert model.synthesise(torch.zeros(1, 1, 16, 16)).shape == (1, 3, 16, 16)


def test_options_and_metadata_of_exports_have_their_old_names():
    with pytest.warns(FutureWarning, match="license"):
        options = ExportOptions(licence="CC0-1.0")
    assert options.license == "CC0-1.0"
    properties = ExportMetadata(
        (8, 8), 0.5, provenance={"epochs": 3}, license="MIT"
    ).to_properties()
    properties["recipe"] = properties.pop("provenance")
    properties["licence"] = properties.pop("license")
    metadata = ExportMetadata.from_properties(properties)
    assert metadata.license == "MIT"
    with pytest.warns(FutureWarning, match="ExportMetadata.provenance"):
        assert metadata.recipe == {"epochs": 3}


@pytest.mark.parametrize("name", MOVED)
def test_a_module_that_has_moved_is_imported_with_a_warning(name, monkeypatch):
    old, new = f"lesionseg.{name}", f"lesionseg.{MOVED[name]}"
    monkeypatch.delitem(sys.modules, old, raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = import_module(old)
    assert module is import_module(new)
    assert f"{old} is now {new}" in " ".join(
        str(warning.message) for warning in caught if warning.category is DeprecationWarning
    )
