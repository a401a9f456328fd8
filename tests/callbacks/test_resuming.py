"""What resumes, what is refused, and what a fit that never trained leaves; by the command line."""

import shutil

import pytest
import torch
import yaml
from conftest_cli import TINY_FIT
from conftest_isic import write_pair
from lightning.pytorch import Trainer

from lesionseg.cli.main import NOTHING_TO_TRAIN, main

FIT = [*TINY_FIT, "--model.schedule=constant", "--model.learning_rate=0.002"]
RUN = "runs/version_0"
LAST = f"{RUN}/checkpoints/last.ckpt"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder in which a fit of one epoch was made."""
    folder = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(FIT) == 0
    return folder


@pytest.fixture
def run(fitted, tmp_path, monkeypatch):
    """The current folder is a copy of that fit's."""
    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sentence(capsys):
    """The one line that says what is wrong."""
    stderr = capsys.readouterr().err
    lines = [line for line in stderr.splitlines() if "error: " in line]
    assert len(lines) == 1, stderr
    return lines[0]


@pytest.mark.parametrize("which", ["last", LAST])
def test_a_finished_fit_ends_with_code_3_and_stays_as_it_is(run, which, capsys):
    before = contents(run)
    assert main([*FIT, f"--ckpt_path={which}"]) == NOTHING_TO_TRAIN == 3
    assert "nothing left to train" in (said := sentence(capsys))
    assert "--model.init_from" in said
    assert contents(run) == before
    assert [path.name for path in (run / "runs").iterdir()] == ["version_0"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--model.learning_rate=0.1", "learning_rate was 0.002 and is 0.1"),
        ("--model.optimizer=sgd", "optimizer was adamw and is sgd"),
        ("--model.schedule=poly", "schedule was constant and is poly"),
        ("--model.weight_decay=0.5", "weight_decay was 0.01 and is 0.5"),
    ],
)
def test_another_optimizer_than_the_checkpoints_is_refused(run, option, words, capsys):
    before = contents(run)
    assert main([*FIT, f"--ckpt_path={LAST}", "--trainer.max_epochs=2", option]) == 1
    assert words in (said := sentence(capsys))
    assert "--model.init_from" in said
    assert contents(run) == before
    assert [path.name for path in (run / "runs").iterdir()] == ["version_0"]


def test_the_same_optimizer_resumes_from_a_file_in_the_current_folder(run):
    shutil.copy(run / LAST, "last.ckpt")
    assert main([*FIT, "--ckpt_path=last.ckpt", "--trainer.max_epochs=2"]) == 0
    last = torch.load(run / "runs/version_1/checkpoints/last.ckpt", weights_only=True)
    assert (last["epoch"], last["global_step"]) == (1, 4)


def test_changed_images_are_refused_and_the_saved_split_stays(run, capsys):
    (run / RUN / "splits" / "val.txt").write_text("other\n")
    before = contents(run)
    for which in ("last", LAST):
        assert main([*FIT, f"--ckpt_path={which}", "--trainer.max_epochs=2"]) == 1
        assert "images have changed" in (said := sentence(capsys))
        assert "restore the data, or start a new fit from its weights with --model.init" in said
    assert contents(run) == before
    assert [path.name for path in (run / "runs").iterdir()] == ["version_0"]


def test_what_never_trained_leaves_no_folder(tmp_path, monkeypatch, capsys):
    """And so nothing that a later --ckpt_path last might take for a fit."""
    monkeypatch.chdir(tmp_path)
    assert main([*FIT, "--ckpt_path=last"]) == 1
    assert "nothing to resume" in sentence(capsys)
    for number in range(4):
        write_pair(tmp_path / f"images/{number}.jpg", tmp_path / f"masks/{number}.png", (40, 40))
        (tmp_path / f"images/{number}.jpg").write_bytes(b"\xff\xd8broken")
    drawn = ("--data.train_l", "--data.val_l", "--data.test_l")
    folders = ["--data=FolderDataModule", "--data.train_images=images", "--data.train_masks=masks"]
    fit = [one for one in FIT if not one.startswith(drawn)]
    where = fit.index("--data=SyntheticDataModule")
    fit[where : where + 1] = folders
    for workers in (0, 1):  # the same sentence from another process
        assert main([*fit, f"--data.num_workers={workers}"]) == 1
        assert ".jpg is truncated or not an image" in sentence(capsys)
        assert not (tmp_path / "runs").exists()
    assert main([*FIT, "--ckpt_path=last"]) == 1
    assert "nothing to resume" in sentence(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "masks"]


LIMITS = ("train", "val", "test", "predict")


@pytest.mark.parametrize("way", ["two words", "equals sign", "file", "group"])
def test_an_integer_is_a_number_of_batches(way, tmp_path, monkeypatch):
    """1 is one batch, and 1.0 all of them, however they are given."""
    monkeypatch.chdir(tmp_path)
    limits = {f"limit_{part}_batches": 1 for part in LIMITS} | {"val_check_interval": 1}
    options = [word for key, value in limits.items() for word in (f"--trainer.{key}", str(value))]
    given = {
        "two words": options,
        "equals sign": [f"--trainer.{key}={value}" for key, value in limits.items()],
        "file": ["--config=limits.yaml"],
        "group": [f"--trainer={limits}".replace("'", '"')],
    }[way]
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump({"trainer": limits}))
    seen = trainers(monkeypatch)
    assert main([*FIT, *given]) == 0
    (trainer,) = seen
    for key, value in limits.items():
        found = getattr(trainer, key)
        assert (type(found), found) == (int, value), key
    assert trainer.global_step == trainer.num_training_batches == 1
    assert trainer.num_val_batches == [1]


@pytest.mark.parametrize(
    ("options", "batches"),
    [
        (["--trainer.limit_train_batches", "1.0"], 2),
        (["--trainer.limit_train_batches", "0.5"], 1),
        (["--trainer.overfit_batches", "1"], 1),
        (["--trainer.overfit_batches", "1.0"], 2),
    ],
)
def test_a_fraction_is_a_part_of_the_batches(options, batches, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = trainers(monkeypatch)
    assert main([*FIT, *options]) == 0
    assert seen[0].global_step == seen[0].num_training_batches == batches


def trainers(monkeypatch):
    """The Trainers that will have fitted."""
    seen, fit = [], Trainer.fit

    def noted(self, *arguments, **options):
        seen.append(self)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "fit", noted)
    return seen
