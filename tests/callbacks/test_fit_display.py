"""What a fit shows in the terminal, and what its checkpoints hold."""

import contextlib
import io
import logging
import shlex
from types import SimpleNamespace

import pytest
import torch
from conftest_cli import TINY_FIT
from lightning.pytorch.callbacks import ModelSummary, TQDMProgressBar
from lightning.pytorch.utilities.model_summary import get_human_readable_count, summarize

from lesionseg import Segmenter
from lesionseg.callbacks.fit_display import FitModelSummary, FitProgressBar, display_callbacks
from lesionseg.cli import main as cli

NAMED = "--trainer.logger.init_args.version=quickstart"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder with a fit of two epochs in ``runs/quickstart``, and what it printed."""
    folder = tmp_path_factory.mktemp("fitted")
    shown = [one for one in TINY_FIT if "enable" not in one]
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.chdir(folder)
        assert cli.main([*shown, "--trainer.max_epochs=2", NAMED]) == 0
    return folder, said.getvalue()


def load(folder, name):
    path = folder / "runs" / "quickstart" / "checkpoints" / f"{name}.ckpt"
    return torch.load(path, weights_only=True)


def test_a_fit_ends_with_its_folder_best_epoch_and_next_command(fitted, monkeypatch):
    folder, said = fitted
    run, best, following = said.splitlines()[-3:]
    assert run == "Run:      runs/quickstart"
    checkpoint = load(folder, "best")
    state = load(folder, "last")["callbacks"]
    score = next(float(one["best_model_score"]) for key, one in state.items() if "Best" in key)
    assert best == f"Best:     epoch {checkpoint['epoch']} of 0 to 1, val/jaccard {score:.4f}"
    program, *command = shlex.split(following.removeprefix("Next:     "))
    assert program == "lesionseg"
    assert command == [
        *("test", "--config", "runs/quickstart/config.yaml"),
        *("--ckpt_path", "runs/quickstart/checkpoints/best.ckpt"),
    ]


def test_the_bar_shows_no_piece_of_the_runs_name(fitted):
    said = fitted[1]
    assert "Epoch 1: 100%" in said
    assert "v_num" not in said
    assert "val_jaccard=" in said


def test_the_summary_has_no_empty_operations(caplog):
    model = Segmenter("segan", {"width": 2})
    trainer = SimpleNamespace(is_global_zero=True, strategy=None)
    with caplog.at_level(logging.INFO):
        FitModelSummary().on_fit_start(trainer, model)
    table = caplog.text
    assert "FLOP" not in table.upper()
    count = get_human_readable_count(sum(one.numel() for one in model.parameters()))
    assert f"\n{count:<10}trainable parameters" in table
    assert "0         frozen parameters" in table
    assert "| network " in table
    assert "SegANSegmentor" in table


def test_the_summary_shows_operations_that_were_counted(caplog):
    model = Segmenter("segan", {"width": 2})
    model.example_input_array = torch.zeros(1, 3, 32, 32)
    counted = summarize(model).total_flops
    assert counted > 0
    with caplog.at_level(logging.INFO):
        FitModelSummary().on_fit_start(SimpleNamespace(is_global_zero=True, strategy=None), model)
    assert "Total Flops" in caplog.text


def test_a_bar_or_summary_that_the_user_gives_stays_the_only_one():
    def kinds(*callbacks, **changed):
        asked = {"enable_progress_bar": None, "enable_model_summary": None, "fast_dev_run": False}
        made = display_callbacks(SimpleNamespace(**asked | changed), list(callbacks))
        return [type(one) for one in made]

    assert kinds() == [FitProgressBar, FitModelSummary]
    assert kinds(TQDMProgressBar()) == [FitModelSummary]
    assert kinds(ModelSummary()) == [FitProgressBar]
    assert kinds(enable_progress_bar=False) == [FitModelSummary]
    assert kinds(enable_model_summary=False) == [FitProgressBar]
    assert kinds(barebones=True) == []


def test_the_best_checkpoint_holds_weights_only_and_the_last_one_everything(fitted):
    folder, _ = fitted
    best, last = load(folder, "best"), load(folder, "last")
    assert "optimizer_states" not in best
    assert last["optimizer_states"][0]["state"]
    assert best["state_dict"].keys() == last["state_dict"].keys()
    assert best["lesionseg"]["network"] == last["lesionseg"]["network"]


def test_no_fit_resumes_from_weights_alone(fitted, monkeypatch, capsys):
    folder, _ = fitted
    monkeypatch.chdir(folder)
    best = "runs/quickstart/checkpoints/best.ckpt"
    before = sorted(folder.rglob("*"))
    assert cli.main([*TINY_FIT, "--trainer.max_epochs=3", f"--ckpt_path={best}"]) == 1
    assert f"{best} holds weights only" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_the_best_checkpoint_holds_everything_on_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*TINY_FIT, NAMED, "--checkpoint.save_weights_only=false"]) == 0
    assert load(tmp_path, "best")["optimizer_states"][0]["state"]
