"""The papers' tables through the command line, on a tiny tree of the official folders."""

import csv
import json
import sys

import pytest
from conftest_cli import lesionseg, one_sentence, run_well
from conftest_isic import write_isic
from PIL import Image

from lesionseg.cli.main import main
from lesionseg.data import load_ids, official_ids
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.comparison import compare_tables

pytestmark = pytest.mark.slow


def reproduce(*arguments, cwd):
    command = [sys.executable, "-m", "lesionseg.cli", "reproduce", *arguments]
    return run_well(*command, cwd=cwd)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """ISIC 2018 with some images of the ISIC 2017 test set among the training images."""
    root = tmp_path_factory.mktemp("isic")
    shared = sorted(official_ids(2017, "test") & official_ids(2018, "train"))[:8]
    others = sorted(official_ids(2018, "train") - official_ids(2017, "test"))[:12]
    write_isic(root, 2018, "train", 20, ids=shared + others)
    write_isic(root, 2018, "val", 3, ids=sorted(official_ids(2018, "val"))[:3])
    return root


@pytest.fixture(scope="module")
def asnet(root, tmp_path_factory):
    """Two rows of ASNet's table."""
    folder = tmp_path_factory.mktemp("asnet")
    rows = ["--rows", "baseline", "ASNet"]
    command = ["asnet-table2", "--budget=quick", f"--root={root}", "--epochs=1", *rows]
    return folder, command, reproduce(*command, cwd=folder)


def test_ours_stands_beside_the_papers(asnet):
    folder, _, printed = asnet
    results = folder / "runs" / "asnet-table2-quick"
    lines = {line.split("  ")[0]: line for line in printed.splitlines()}
    assert "81.12" in lines["Baseline"]
    assert "82.15" in lines["ASNet"]
    assert "24.61" in lines["Baseline"]
    assert "30.65" in lines["ASNet"]
    assert max(map(len, printed.split("Table: ")[0].splitlines())) <= 80
    text = (results / "table.md").read_text()
    assert "(81.12 +- 0.551)" in text
    assert "## Differences from the paper" in text
    with Image.open(results / "table.png") as plot:
        plot.verify()


def test_the_table_holds_the_scores_of_the_folds(asnet):
    folder, _, printed = asnet
    results = folder / "runs" / "asnet-table2-quick"
    with (results / "table.csv").open() as stream:
        records = {record["row"]: record for record in csv.DictReader(stream)}
    assert list(records) == ["Baseline", "ASNet"]
    tables = {}
    for name, place in (("Baseline", "baseline"), ("ASNet", "asnet")):
        folds = [
            ScoreTable.from_csv(
                results / "common" / "all-images" / place / f"fold_{number}" / "scores.csv"
            )
            for number in range(5)
        ]
        assert sum(map(len, folds)) == 20
        means = [one.summary()["jaccard"] for one in folds]
        assert float(records[name]["mean_over_folds"]) == pytest.approx(sum(means) / 5)
        assert f"{100 * sum(means) / 5:.2f}" in printed
        tables[name] = folds
    content = json.loads((results / "table.json").read_text())
    assert content["budget"] == "quick"
    assert content["versions"]["torch"]
    baseline = next(one for one in content["results"] if one["row"] == "Baseline")
    assert baseline["difference_low"] <= baseline["reference_minus_row"]
    assert baseline["reference_minus_row"] <= baseline["difference_high"]
    assert 0 <= baseline["wilcoxon_p"] <= 1


def test_everything_to_repeat_a_row_is_kept_but_its_weights(asnet):
    folder, _, _ = asnet
    fold = folder / "runs" / "asnet-table2-quick" / "common" / "all-images" / "asnet" / "fold_0"
    assert {one.name for one in fold.iterdir()} >= {
        "config.yaml",
        "splits",
        "log.txt",
        "scores.csv",
    }
    assert not (fold / "checkpoints").exists()


def test_a_second_run_trains_nothing_and_other_settings_are_refused(asnet):
    folder, command, printed = asnet
    assert reproduce(*command, cwd=folder) == printed
    result = lesionseg("reproduce", *command, "--precision=bf16-mixed", cwd=folder)
    assert "precision differ" in one_sentence(result)


def test_mobilegan_is_scored_with_and_without_the_shared_images(root, tmp_path):
    rows = ["--rows", "U-Net", "MobileGAN"]
    printed = reproduce(
        "mobilegan-tables", "--budget=quick", f"--root={root}", "--epochs=1", *rows, cwd=tmp_path
    )
    assert "lesionseg download isic2017" in printed
    results = tmp_path / "runs" / "mobilegan-tables-quick"
    with (results / "table.csv").open() as stream:
        records = list(csv.DictReader(stream))
    assert [(one["training"], one["test"], one["row"], one["images"]) for one in records] == [
        (training, test, row, images)
        for training in ("as the paper", "leak-free")
        for test, images in (("ISBI 2017 test, shared", "8"), ("ISIC 2018 validation", "3"))
        for row in ("U-Net", "MobileGAN")
    ]
    shared = official_ids(2017, "test")
    leaking = results / "common" / "as-the-paper" / "u-net"
    assert shared & {*load_ids(leaking / "splits" / "train.txt")}
    clean = results / "common" / "leak-free" / "u-net"
    for part in ("train", "val"):
        assert not shared & {*load_ids(clean / "splits" / f"{part}.txt")}
    # the score of the last epoch on the images themselves, not a copy of the other training set's
    one, other = (
        ScoreTable.from_csv(place / "isbi-2017-test-shared" / "scores.csv")
        for place in (leaking, clean)
    )
    assert len(compare_tables(one, other)) == 8


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["asnet-table3"], "asnet-table2"),
        (["asnet-table2", "--rows", "ASNett"], "ASM without SAM"),
        (["asnet-table2", "--root", "nowhere"], "ISIC2018_Task1-2_Training_Input"),
    ],
)
def test_mistakes_are_reported_before_anything_is_trained(
    arguments, word, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *arguments]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert word in sentence
    assert not (tmp_path / "runs").exists()
