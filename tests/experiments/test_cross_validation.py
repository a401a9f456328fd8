"""Cross-validation through the command line, on a tiny tree of the official folders."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest_cli import lesionseg, one_sentence, run_well
from conftest_isic import write_isic
from PIL import Image

from lesionseg.data import load_ids
from lesionseg.experiments.cross_validation import fold_jobs
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.predictions import score_predictions

pytestmark = pytest.mark.slow
COUNT = 13
EPOCHS = 4


def arguments(root, output, *more):
    return [
        "cross-validate",
        "--num-folds=3",
        "--jobs=2",
        f"--output={output}",
        "--model=Segmenter",
        "--model.network=smp:unet/resnet18",
        "--data=ISICDataModule",
        f"--data.root={root}",
        "--data.size=[32,32]",
        "--data.batch_size=4",
        "--trainer.accelerator=cpu",
        f"--trainer.max_epochs={EPOCHS}",
        "--trainer.log_every_n_steps=1",
        "--trainer.limit_val_batches=0",
        *more,
    ]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("isic")
    write_isic(root, 2018, "train", COUNT)
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """The folder of a whole cross-validation that was killed on its way and run again."""
    folder = tmp_path_factory.mktemp("cv")
    output = folder / "out"
    command = [sys.executable, "-m", "lesionseg.cli", *arguments(root, output)]
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 120
        while not checkpoint(output).exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert checkpoint(output).exists()
    return output, run_well(*command, cwd=folder)


def checkpoint(output):
    return output / "fold_0" / "checkpoints" / "last.ckpt"


def test_every_image_is_held_out_once_by_a_saved_fold(finished):
    output, _ = finished
    folds = [load_ids(output / "folds" / f"fold_{number}.txt") for number in range(3)]
    assert sorted(len(fold) for fold in folds) == [4, 4, 5]
    assert len({name for fold in folds for name in fold}) == COUNT
    for number, held_out in enumerate(folds):
        trained = load_ids(output / f"fold_{number}" / "splits" / "train.txt")
        assert not {*trained} & {*held_out}
        assert len(trained) + len(held_out) == COUNT


def test_the_masks_kept_are_those_that_were_scored(finished, root):
    output, _ = finished
    truth = root / "ISIC2018_Task1_Training_GroundTruth"
    again = score_predictions(truth, output / "masks")
    kept = ScoreTable.from_csv(output / "scores.csv")
    assert dict(zip(again.ids, again.counts.tolist(), strict=True)) == dict(
        zip(kept.ids, kept.counts.tolist(), strict=True)
    )


def test_the_tables_and_the_plot_are_there(finished):
    output, printed = finished
    summary = json.loads((output / "folds.json").read_text())
    assert summary["num_folds"] == 3
    assert f"{summary['over_folds']['jaccard']['mean']:.4f} +- " in printed
    assert (output / "folds.md").read_text().startswith("|  | images |")
    assert (output / "folds.csv").is_file()
    with Image.open(output / "folds.png") as plot:
        plot.verify()


def test_a_second_run_trains_nothing(finished, root):
    output, printed = finished
    logs = [(output / f"fold_{number}" / "log.txt").read_text() for number in range(3)]
    again = run_well(
        sys.executable, "-m", "lesionseg.cli", *arguments(root, output), cwd=output.parent
    )
    assert again == printed
    assert logs == [(output / f"fold_{number}" / "log.txt").read_text() for number in range(3)]


def test_a_cut_off_training_goes_on_from_its_last_epoch(finished):
    output, _ = finished
    fits = [
        line
        for line in (output / "fold_0" / "log.txt").read_text().splitlines()
        if line.startswith("$ lesionseg fit")
    ]
    assert ["--ckpt_path" in line for line in fits] == [False, True]
    with (output / "fold_0" / "metrics.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["train/loss_epoch"]]
    assert [int(row["epoch"]) for row in rows] == list(range(EPOCHS))  # each once
    assert list((output / "fold_0").rglob("metrics-*")) == []


def test_other_settings_do_not_mix_with_what_is_there(finished, root):
    output, _ = finished
    result = lesionseg(*arguments(root, output, "--data.seed=7"), cwd=output.parent)
    assert "fit differ" in one_sentence(result)


def test_a_mistake_in_what_is_passed_on_is_told_at_once(root, tmp_path):
    result = lesionseg(*arguments(root, tmp_path / "cv", "--data.rooot=x"), cwd=tmp_path)
    sentence = one_sentence(result)
    assert "rooot" in sentence
    assert "log.txt" in sentence


def test_data_that_are_not_there_are_named(tmp_path):
    result = lesionseg(*arguments(tmp_path / "nowhere", tmp_path / "cv"), cwd=tmp_path)
    assert "ISIC2018_Task1-2_Training_Input" in one_sentence(result)


def test_one_fold_is_no_cross_validation():
    with pytest.raises(ValueError, match="at least 2"):
        fold_jobs(Path("x"), [], 1)
