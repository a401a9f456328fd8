"""Cross-validation with numbers that can be checked in the head."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionseg.experiments.cross_validation import fold_jobs
from lesionseg.experiments.fold_scores import FoldScores
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.comparison import compare_tables


def table(first, *jaccards):
    """Images of 100 lesion pixels and 100 others, of which a share is found and nothing else."""
    counts = [[round(100 * one), 0, 100 - round(100 * one), 100] for one in jaccards]
    ids = [f"ISIC_{first + number:07d}" for number in range(len(counts))]
    return ScoreTable(ids, np.array(counts))


@pytest.fixture
def scores():
    """One image of 0.9, three of 0.5 and two of 0.1."""
    return FoldScores([table(0, 0.9), table(1, 0.5, 0.5, 0.5), table(4, 0.1, 0.1)])


def test_the_mean_over_folds_weighs_folds_and_not_images(scores):
    assert scores.mean("jaccard") == pytest.approx(0.5)  # over images: 2.6 / 6 = 0.4333
    assert scores.std("jaccard") == pytest.approx(0.4)  # sqrt((0.4^2 + 0 + 0.4^2) / 2)
    assert scores.images.summary()["jaccard"] == pytest.approx(2.6 / 6)


def test_text_and_files_have_both_means_in_their_places(scores, tmp_path):
    line = next(one for one in scores.render().splitlines() if one.startswith("jaccard "))
    assert line.split()[1:7] == ["0.5000", "+-", "0.4000", "0.4333", "+-", "0.2749"]
    scores.write(tmp_path)
    content = json.loads((tmp_path / "folds.json").read_text())
    assert content["over_folds"]["jaccard"] == pytest.approx({"mean": 0.5, "std": 0.4})
    assert content["over_images"]["jaccard"]["mean"] == pytest.approx(2.6 / 6)
    assert [(one["images"], one["jaccard"]) for one in content["folds"]] == [
        (1, pytest.approx(0.9)),
        (3, pytest.approx(0.5)),
        (2, pytest.approx(0.1)),
    ]
    with (tmp_path / "folds.csv").open() as stream:
        rows = {row[""]: row for row in csv.DictReader(stream)}
    assert rows["mean over folds"]["jaccard"] == "0.5000"
    assert rows["std over folds"]["jaccard"] == "0.4000"
    assert rows["mean over images"]["jaccard"] == "0.4333"
    assert rows["std over images"]["jaccard"] == "0.2749"


def test_the_interval_is_that_of_its_score(scores):
    lines = {line.split()[0]: line for line in scores.render().splitlines()[3:]}
    images = scores.images
    for name in ("accuracy", "jaccard", "threshold_jaccard", "dice", "sensitivity"):
        low, high = images.interval(name)
        assert lines[name].endswith(f"{low:.4f} - {high:.4f}")
        assert scores.summary()["over_images"][name]["interval"] == [low, high]
    shown = {line[-16:] for name, line in lines.items() if name != "sensitivity"}
    assert len(shown) == 5  # sensitivity is jaccard here; no two others are alike


def test_a_tables_intervals_are_those_of_their_scores():
    one = table(0, 0.9, 0.7, 0.6, 0.2)
    lines = {line.split()[0]: line for line in one.render().splitlines()[3:]}
    content = json.loads(one.to_json())
    for name, mean in one.summary().items():
        low, high = one.interval(name)
        assert low <= mean <= high
        values = one.scores[name]
        assert values.min() <= low
        assert high <= values.max()
        assert lines[name].endswith(f"{low:.4f} - {high:.4f}")
        assert content["interval"][name] == [low, high]


@pytest.mark.parametrize("num_folds", [2, 5])
def test_every_job_holds_out_a_fold_of_its_own(num_folds):
    jobs = fold_jobs(Path("x"), ["--config=y"], num_folds)
    assert len({job.folder for job in jobs}) == num_folds
    for fold, job in enumerate(jobs):
        assert job.folder.name == f"fold_{fold}"
        options = dict(one.partition("=")[::2] for one in job.fit)
        assert options == {
            "--config": "y",
            "--data.split": "k-fold",
            "--data.num_folds": str(num_folds),
            "--data.fold": str(fold),
        }


def shifted(by):
    """A and B on ten images: A finds more, by a share of 0.01 to 0.1 and a constant."""
    steps = np.linspace(0.01, 0.1, 10)
    return table(0, *(0.5 + steps + by)), table(0, *np.full(10, 0.5))


def test_the_difference_is_a_minus_b():
    a, b = shifted(0.1)
    comparison = compare_tables(a, b)
    assert comparison.mean_a == pytest.approx(0.655)
    assert comparison.mean_b == pytest.approx(0.5)
    assert comparison.difference == pytest.approx(0.155)
    assert 0.1 < comparison.interval[0] < 0.155 < comparison.interval[1] < 0.21
    assert (comparison.better, comparison.equal, comparison.worse) == (10, 0, 0)
    assert comparison.verdict.startswith("A is better")
    means = next(line for line in comparison.render().splitlines() if "+0.1550" in line)
    assert means.split()[:3] == ["0.6550", "0.5000", "+0.1550"]
    content = json.loads(comparison.to_json())
    assert content["difference"] == pytest.approx(0.155)
    assert (content["better"], content["worse"]) == (10, 0)
    back = compare_tables(b, a)
    assert back.difference == pytest.approx(-0.155)
    assert back.verdict.startswith("B is better")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.0, 0.1), "includes 0"),
        ((-0.1, 0.0), "includes 0"),
        ((-0.1, 0.1), "includes 0"),
        ((1e-12, 0.1), "A is better"),
        ((-0.1, -1e-12), "B is better"),
    ],
)
def test_an_interval_that_ends_at_exactly_0_includes_it(interval, words):
    a, b = shifted(0.1)
    comparison = replace(compare_tables(a, b), interval=interval)
    assert words in comparison.verdict
