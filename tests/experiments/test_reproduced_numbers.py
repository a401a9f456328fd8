"""What ``lesionseg reproduce`` prints of scores that are known, without training."""

import csv
import re

import numpy as np
import pytest
from conftest_isic import write_isic
from scipy.stats import wilcoxon

from lesionseg.cli import main as cli
from lesionseg.data import official_ids
from lesionseg.experiments import reproduction
from lesionseg.metrics import SCORE_NAMES
from lesionseg.metrics.table import ScoreTable

LESION, ALL = 400, 1000


def counts_of(place, images):
    """Counts that depend on a run's folder: each row finds another share of the lesion."""
    generator = np.random.default_rng(sum(map(ord, place)))
    found = generator.integers(100, LESION, images)
    wrong = generator.integers(0, 300, images)
    return np.stack([found, wrong, LESION - found, ALL - LESION - wrong], 1)


@pytest.fixture
def trained(monkeypatch):
    """Every job that ``reproduce`` would train; each fold has one image more than the last."""
    jobs = []

    def run_jobs(given, *arguments, **options):
        for job in given:
            jobs.append(job)
            fold = re.search(r"--data\.fold=(\d+)", " ".join(job.fit))
            number = int(fold[1]) if fold else 0
            for test in job.tests:
                ids = [f"ISIC_{100 * number + image:07d}" for image in range(number + 2)]
                path = job.folder / test / "scores.csv"
                ScoreTable(ids, counts_of(f"{job.folder}/{test}", len(ids))).to_csv(path)

    monkeypatch.setattr(reproduction, "run_jobs", run_jobs)
    return jobs


@pytest.fixture
def reproduce(tmp_path, monkeypatch, capsys):
    write_isic(tmp_path / "isic", 2018, "train", 1, ids=sorted(official_ids(2018, "train"))[:1])
    write_isic(tmp_path / "isic", 2017, "test", 1, ids=sorted(official_ids(2017, "test"))[:1])
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        assert cli.main(["reproduce", *arguments, "--root=isic", "--output=out"]) == 0
        with (tmp_path / "out" / "table.csv").open() as stream:
            records = list(csv.DictReader(stream))
        return capsys.readouterr().out, records, (tmp_path / "out" / "table.md").read_text()

    return run


def jaccards(job, test="."):
    """By hand, from the counts in the file."""
    with (job.folder / test / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return np.array(
        [int(row["tp"]) / sum(int(row[name]) for name in ("tp", "fp", "fn")) for row in rows]
    )


def line_of(printed, row):
    return next(line for line in printed.splitlines() if re.match(f"{row}  ", line))


def test_a_cross_validated_row_is_a_mean_over_folds(trained, reproduce):
    rows = ["Baseline", "ASNet"]
    printed, records, text = reproduce("asnet-table2", "--budget=quick", "--rows", *rows)
    scores = {}
    for name, record in zip(rows, records, strict=True):
        folds = [jaccards(job) for job in trained if job.folder.parent.name == name.lower()]
        assert [len(fold) for fold in folds] == [2, 3, 4, 5, 6]
        means = [fold.mean() for fold in folds]
        mean, deviation = np.mean(means), np.std(means, ddof=1)
        over_images = np.concatenate(folds)
        assert abs(mean - over_images.mean()) > 1e-4  # unequal folds tell the two apart
        assert float(record["mean_over_folds"]) == pytest.approx(mean)
        assert float(record["std_over_folds"]) == pytest.approx(deviation)
        assert float(record["jaccard"]) == pytest.approx(over_images.mean())
        ours = f"{100 * mean:.2f} +- {100 * deviation:.2f}"
        assert ours in line_of(printed, name)
        size = {"Baseline": 24_608_609, "ASNet": 30_652_774}[name]
        assert int(record["parameters"]) == size
        assert f" {size / 1e6:.2f} " in line_of(printed, name)
        assert f"| {name} | {size / 1e6:.2f} | {ours} ({record['paper_jaccard']}" in text
        scores[name] = over_images
    difference = scores["ASNet"] - scores["Baseline"]
    baseline, asnet = records
    assert float(baseline["reference_minus_row"]) == pytest.approx(difference.mean())
    assert float(baseline["difference_low"]) <= difference.mean()
    assert difference.mean() <= float(baseline["difference_high"])
    assert float(baseline["wilcoxon_p"]) == pytest.approx(wilcoxon(difference).pvalue)
    assert f"{100 * difference.mean():+.1f} [" in line_of(printed, "Baseline")
    assert asnet["reference_minus_row"] == ""


def test_intervals_and_columns_are_those_of_each_tests_score(trained, reproduce):
    _, records, text = reproduce("mobilegan-tables", "--budget=quick", "--rows", "FCN", "MobileGAN")
    wanted = {
        "ISBI 2017 test": "jaccard",
        "ISBI 2017 test, shared": "jaccard",
        "ISIC 2018 validation": "threshold_jaccard",
    }
    assert {record["test"] for record in records} == set(wanted)
    for record in records:
        score = wanted[record["test"]]
        (job,) = (
            job
            for job in trained
            if job.folder.name == record["row"].lower()
            and job.folder.parent.name == record["training"].replace(" ", "-")
        )
        place = re.sub("[^a-z0-9]+", "-", record["test"].lower())
        table = ScoreTable.from_csv(job.folder / place / "scores.csv")
        assert record["score"] == score
        interval = float(record["interval_low"]), float(record["interval_high"])
        assert interval == table.interval(score)
        shown = " to ".join(f"{100 * end:.2f}" for end in interval)
        assert f"| {shown} |" in text
        size, quoted = {"FCN": ("134.3", "134.3"), "MobileGAN": ("2.35", "2.35")}[record["row"]]
        assert record["quoted_million_parameters"] == quoted
        assert f"| {record['row']} | {size} ({quoted}) |" in text
        for name in SCORE_NAMES:
            assert float(record[name]) == pytest.approx(table.summary()[name])
        printed_by_the_paper = {
            name.removeprefix("paper_")
            for name, value in record.items()
            if name.startswith("paper_") and value
        }
        first = {"accuracy", "dice", "jaccard", "sensitivity", "specificity"}
        assert printed_by_the_paper == (first if score == "jaccard" else {"threshold_jaccard"})


def test_only_the_leak_free_trainings_leave_the_test_images_out(trained, reproduce):
    reproduce("mobilegan-tables", "--budget=quick", "--rows", "FCN", "GAN-FCN")
    assert len(trained) == 4
    for job in trained:
        excluded = [one for one in job.fit if one.startswith("--data.exclude")]
        if job.folder.parent.name == "leak-free":
            assert excluded == ["--data.exclude=isic2017-test"]
        else:
            assert job.folder.parent.name == "as-the-paper"
            assert excluded == []


def test_every_fold_of_every_row_is_trained(trained, reproduce):
    reproduce("asnet-table2", "--budget=quick")
    folds = {}
    for job in trained:
        options = dict(one.partition("=")[::2] for one in job.fit)
        assert options["--data.split"] == "k-fold"
        folds.setdefault(job.folder.parent.name, []).append(options["--data.fold"])
    assert len(folds) == 7
    assert all(row == list("01234") for row in folds.values())
