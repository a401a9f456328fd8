"""The tables of docs/pretrained.md are those of the published counts."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCORES = DOCS / "results" / "released" / "scores"
pytestmark = pytest.mark.skipif(not SCORES.is_dir(), reason="the published counts are not here")
SETS = ("held-out", "isic2018-val", "isic2017-test")


def table_after(mark):
    page = (DOCS / "pretrained.md").read_text(encoding="utf-8")
    lines = page.split(f"<!-- {mark} -->\n")[1].split(f"\n<!-- /{mark} -->")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def counts_of(run, views="none"):
    with gzip.open(SCORES / f"{run}.csv.gz", "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["postprocessing"] == "none"]
    return {
        name: np.array(
            [
                [int(row[key]) for key in ("tp", "fp", "fn")]
                for row in rows
                if row["set"] == name and row["views"] == views
            ]
        )
        for name in SETS
    }


def jaccard(counts):
    return counts[:, 0] / counts.sum(axis=1)


def interval(values):
    draws = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    return np.quantile(values[draws].mean(axis=1), [0.025, 0.975])


def numbers(cell):
    return [float(word.strip("()")) for word in cell.replace(" to ", " ").split()]


def test_every_run_stands_in_the_table_with_its_scores():
    rows = table_after("table")
    assert [row[0] for row in rows] == sorted(path.name[:-7] for path in SCORES.iterdir())
    for run, *cells in rows:
        counts, flipped = counts_of(run), counts_of(run, "flips")
        each = {name: jaccard(counts[name]) for name in SETS}
        expected = []
        for name in SETS:
            expected += [each[name].mean(), *interval(each[name])]
            expected.append(np.where(each[name] >= 0.65, each[name], 0).mean())
            if name == "isic2018-val":
                expected.append(jaccard(flipped[name]).mean())
        expected.append(jaccard(counts["isic2017-test"].sum(axis=0, keepdims=True))[0])
        shown = [number for cell in cells for number in numbers(cell)]
        assert shown == pytest.approx(expected, abs=6e-4), run


def test_every_difference_is_that_of_its_images():
    rows = table_after("differences")
    assert len(rows) > 8
    for a, b, *cells in rows:
        ours, theirs = counts_of(a), counts_of(b)
        for name, cell in zip(SETS, cells, strict=True):
            difference = jaccard(ours[name]) - jaccard(theirs[name])
            expected = [difference.mean(), *interval(difference)]
            assert numbers(cell) == pytest.approx(expected, abs=6e-4), (a, b, name)


def test_what_pooling_changes_is_that_of_the_counts():
    page = " ".join((DOCS / "pretrained.md").read_text(encoding="utf-8").split())
    counts = counts_of("lite-2")
    changes = [
        jaccard(counts[name].sum(axis=0, keepdims=True))[0] - jaccard(counts[name]).mean()
        for name in SETS
    ]
    held_out, validation, test = (f"{change:+.3f}" for change in changes)
    said = f"by {held_out} (held-out), {validation} (2018 validation) and {test} (2017 test)"
    assert said in page
