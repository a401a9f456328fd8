"""Tests of one run, and the comparison of several runs by them."""

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path

import pytest
from conftest_cli import TINY_FIT
from conftest_isic import write_isic, write_pair

from lesionseg import FolderDataModule, ISICDataModule
from lesionseg.callbacks import result_folder
from lesionseg.callbacks.result_folder import folder_of_test, home_of, name_of
from lesionseg.cli import main as cli
from lesionseg.metrics.table import ScoreTable

DATA = [one for one in TINY_FIT if one.startswith(("--data", "--trainer.acc", "--trainer.enable"))]
BEST = "runs/{}/checkpoints/best.ckpt"


def score(name, *arguments, checkpoint=BEST):
    assert cli.main(["test", *DATA, f"--ckpt_path={checkpoint.format(name)}", *arguments]) == 0


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Three tiny fits, whose checkpoints are tested below."""
    folder = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for seed, name in enumerate("abc"):
            named = f"--trainer.logger.init_args.version={name}"
            assert cli.main([*TINY_FIT, named, f"--seed_everything={seed}"]) == 0
    return folder


@pytest.fixture
def runs(fitted, tmp_path, monkeypatch):
    shutil.copytree(fitted / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def found_in(run):
    return sorted(path.parent.name for path in run.rglob("scores.json"))


def test_results_lie_beside_the_run_and_tell_what_was_tested(runs, capsys):
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    score("a")
    said = capsys.readouterr().out
    folder = Path("runs/a/test-synthetic-test")
    assert str(folder / "scores.json") in said
    assert {path.name for path in folder.iterdir()} == {
        "scores.json",
        "scores.csv",
        "overlays.png",
    }
    content = json.loads((folder / "scores.json").read_text())
    table = ScoreTable.from_csv(folder / "scores.csv")
    assert content["macro_average"] == table.summary()
    test = content["test"]
    checkpoint = Path(BEST.format("a"))
    assert test["checkpoint"] == str(checkpoint)
    assert test["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert test["epoch"] == 0
    assert test["model"]["class_path"].endswith("Segmenter")
    assert test["model"]["init_args"]["network"] == "segan"
    assert (test["data"]["name"], test["split"], test["images"]) == ("synthetic", "test", 2)
    assert test["data"]["class_path"].endswith("SyntheticDataModule")
    assert test["size"] == [32, 32]
    assert test["test_time_augmentation"] == "none"
    assert test["command"].startswith("lesionseg test --data=SyntheticDataModule")
    assert f"--ckpt_path={checkpoint}" in test["command"]
    assert test["version"]
    assert test["commit"] is None or len(test["commit"].removesuffix("+changes")) == 40
    score("a", "--data.batch_size=1")  # the very same test
    assert found_in(runs / "a") == ["test-synthetic-test"]
    # the fit's own files are as they were, and there is no new run
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in runs.iterdir()} == {"a", "b", "c"}


@pytest.mark.slow
def test_six_tests_do_not_overwrite_each_other_and_a_repeat_only_itself(runs):
    score("a")
    score("a", "--test_time_augmentation=flips")
    score("a", checkpoint="runs/{}/checkpoints/last.ckpt")
    score("a", "--data.test_length=3")  # other images: the name does not tell
    score("a", "--model.threshold=0.25")
    score("a", "--data.size=[64,64]", "--model.size=[64,64]")
    expected = [
        "test-synthetic-test",
        "test-synthetic-test-2",
        "test-synthetic-test-3",
        "test-synthetic-test-64x64",
        "test-synthetic-test-flips",
        "test-synthetic-test-last",
    ]
    assert found_in(runs / "a") == expected
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("scores.json")}
    score("a", "--data.batch_size=1")  # the same but for its speed
    changed = [path for path, when in before.items() if path.stat().st_mtime_ns != when]
    assert [path.parent.name for path in changed] == ["test-synthetic-test"]
    assert found_in(runs / "a") == expected


def test_a_checkpoint_that_was_trained_anew_is_another_test(runs):
    score("a")
    shutil.copy(BEST.format("b"), BEST.format("a"))
    score("a")
    assert found_in(runs / "a") == ["test-synthetic-test", "test-synthetic-test-2"]


def test_a_checkpoint_of_no_run_names_its_results(runs):
    Path("weights").mkdir()
    for name in "ab":
        shutil.copy(BEST.format(name), f"weights/{name}.ckpt")
        score(name, checkpoint="weights/{}.ckpt")
    assert found_in(Path("weights")) == ["a-test-synthetic-test", "b-test-synthetic-test"]


def test_results_of_a_run_that_cannot_be_written_to_lie_in_runs(runs, monkeypatch):
    can_write = result_folder._can_write
    monkeypatch.setattr(
        result_folder, "_can_write", lambda one: one.name not in "abc" and can_write(one)
    )
    for name in "ab":
        score(name)
    assert found_in(runs) == ["a-test-synthetic-test", "b-test-synthetic-test"]
    monkeypatch.setattr(result_folder, "_can_write", lambda one: False)
    arguments = ["test", *DATA, f"--ckpt_path={BEST.format('c')}"]
    assert cli.main(arguments) == 1


def test_where_results_belong(tmp_path, monkeypatch):
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    assert home_of(checkpoint, tmp_path) == (tmp_path / "run", "")
    monkeypatch.chdir(tmp_path)
    assert home_of(Path("run/checkpoints/best.ckpt"), tmp_path) == (Path("run"), "")
    monkeypatch.chdir(checkpoint.parent)
    assert home_of(Path("best.ckpt"), tmp_path) == (tmp_path / "run", "")
    assert home_of(None, tmp_path) == (tmp_path, "")


def test_a_folder_of_another_kind_is_left_alone(tmp_path):
    (tmp_path / "test").mkdir()
    assert folder_of_test(tmp_path, "test", {}).name == "test-2"


def test_names_are_plain():
    test = {
        "checkpoint": None,
        "data": {"name": "my data/ä"},
        "split": "val",
        "test_time_augmentation": "flips_and_rotations",
        "size": [32, 32],
        "trained_size": [32, 32],
    }
    assert name_of(test) == "test-my-data-ä-val-flips-and-rotations"


def compare(capsys, *arguments):
    capsys.readouterr()
    code = cli.main(["compare", *arguments])
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


def test_runs_are_compared_by_the_test_that_they_share(runs, capsys):
    for name in "abc":
        score(name)
    score("a", "--test_time_augmentation=flips")
    paths = ["runs/a", "runs/b", "runs/c"]
    said = compare(capsys, *paths[:2])
    assert "A  segan runs/a\nB  segan runs/b\n" in said
    tables = [ScoreTable.from_csv(f"{run}/test-synthetic-test/scores.csv") for run in paths]
    means = [table.summary()["jaccard"] for table in tables]
    assert f"{means[0]:>8.4f}{means[1]:>9.4f}" in said

    rows = list(csv.DictReader(io.StringIO(compare(capsys, *paths, "--output=csv"))))
    assert [row["run"] for row in rows] == [f"segan {run}" for run in paths]
    assert [row["jaccard"] for row in rows] == [f"{mean:.4f}" for mean in means]
    assert float(rows[1]["difference"]) == pytest.approx(means[1] - means[0], abs=1e-4)

    score("b", "--test_time_augmentation=flips")
    assert "choose with --test synthetic-test or synthetic-test-flips" in compare(
        capsys, "runs/a", "runs/b"
    )
    flips = compare(capsys, "runs/a", "runs/b", "--test=synthetic-test-flips")
    assert "A  segan runs/a [flips]\n" in flips
    # a test against another of the same run
    said = compare(capsys, "runs/a/test-synthetic-test", "runs/a/test-synthetic-test-flips")
    assert "A  segan runs/a\nB  segan runs/a [flips]\n" in said
    shutil.rmtree("runs/c/test-synthetic-test")
    assert "runs/c holds no scores.csv" in compare(capsys, *paths)
    assert "not every run has a test 'none'" in compare(capsys, *paths[:2], "--test=none")
    assert "at least two runs" in compare(capsys, "runs/a")


def test_runs_without_a_test_in_common(runs, capsys):
    score("a")
    score("b", "--test_time_augmentation=flips")
    assert "no test in common" in compare(capsys, "runs/a", "runs/b")


def part_of(data):
    data.setup("test")
    return data.test_part()


def test_data_and_part_are_named(tmp_path):
    write_isic(tmp_path, 2018, "train", 4)
    write_isic(tmp_path, 2018, "val", 2)
    assert part_of(ISICDataModule(tmp_path)) == ("isic2018", "val")
    folds = {"split": "k-fold", "fold": 1, "num_folds": 2}
    assert part_of(ISICDataModule(tmp_path, **folds)) == ("isic2018", "fold1of2")
    for number in range(4):
        write_pair(
            tmp_path / "mine" / "test" / "images" / f"{number}.png",
            tmp_path / "mine" / "test" / "masks" / f"{number}.png",
        )
    images, masks = (tmp_path / "mine" / "test" / name for name in ("images", "masks"))
    tested = FolderDataModule(test_images=images, test_masks=masks)
    assert part_of(tested) == ("mine", "test")
    held_out = {"train_images": images, "train_masks": masks}
    assert part_of(FolderDataModule(**held_out)) == ("mine", "val")
    assert part_of(FolderDataModule(**held_out, **folds)) == ("mine", "fold1of2")
