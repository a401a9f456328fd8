"""The precision ``auto``: bf16 in fits on CPUs with AMX, float32 everywhere else."""

import pytest
import torch
import yaml
from conftest_cli import TINY_FIT

from lesionseg.cli import main as cli
from lesionseg.cli.precision import automatic_precision
from lesionseg.cli.recipes import config_for, recipe_path
from lesionseg.cli.trainer_arguments import expand_arguments


@pytest.fixture
def processor(monkeypatch):
    """Make PyTorch see a CPU with or without AMX, and no accelerator unless told."""

    def have(amx, accelerator=False):
        known = {"amx_tile": True, "amx_bf16": amx}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator)

    return have


@pytest.mark.parametrize(
    ("command", "amx", "accelerator", "precision"),
    [
        ("fit", True, False, "bf16-mixed"),
        ("fit", False, False, "32-true"),
        ("fit", True, True, "32-true"),
        ("validate", True, False, "32-true"),
        ("test", True, False, "32-true"),
        ("predict", True, False, "32-true"),
    ],
)
def test_only_fits_on_cpus_with_amx_are_in_bf16(command, amx, accelerator, precision, processor):
    processor(amx, accelerator)
    assert automatic_precision(command) == precision
    for given in (["--trainer.precision=auto"], ["--trainer.precision", "auto"]):
        expanded = expand_arguments([command, *given])
        assert "=".join(expanded[1:]) == f"--trainer.precision={precision}"


def test_a_version_of_pytorch_that_cannot_say_is_in_float32(processor, monkeypatch):
    processor(amx=True)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert automatic_precision("fit") == "32-true"


@pytest.mark.parametrize(("amx", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
@pytest.mark.parametrize("name", ["asnet-isic2018", "asnet-lite-isic2018"])
def test_asnets_recipes_ask_for_it(name, amx, precision, processor):
    processor(amx)
    content = yaml.safe_load(config_for(recipe_path(name), "fit"))
    assert content["trainer"]["precision"] == precision
    assert content["trainer"]["logger"]["init_args"]["name"] == name  # the rest is kept
    assert content["model"]["init_args"]["channels_last"]


def test_other_precisions_stay(tmp_path, processor):
    processor(amx=True)
    path = tmp_path / "recipe.yaml"
    path.write_text("trainer: {precision: 32-true}")
    assert config_for(str(path), "fit") == str(path)
    given = ["fit", "--trainer.precision=16-mixed", "--trainer.precision", "64-true"]
    assert expand_arguments(given) == given
    other = ["fit", "--data.root", "auto", "--trainer.precision"]
    assert expand_arguments(other) == other


def test_a_fit_saves_what_it_computed_in(tmp_path, monkeypatch, processor):
    processor(amx=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("trainer: {precision: auto}")
    run = ["--trainer.logger.init_args.version=tiny", "--config=mine.yaml", "--model.network=unet"]
    assert cli.main([*TINY_FIT, *run]) == 0
    saved = yaml.safe_load((tmp_path / "runs/tiny/config.yaml").read_text())
    assert saved["trainer"]["precision"] == "bf16-mixed"
