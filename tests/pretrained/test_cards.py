"""Every number of the cards is that of the published per-image counts, computed again here."""

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from lesionseg.data import named_ids
from lesionseg.pretrained import (
    TRAINED_ON,
    WEIGHTS,
    find_pretrained,
    list_pretrained,
    packaged_card,
)

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "results" / "released"
RUNS = {
    "asnet-lite": "lite-2",
    "mobilegan": "mobilegan-fast-plain-0",
    "mobilegan-distilled": "mobilegan-distilled-1",
}
pytestmark = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published counts are not here")


def rows_of(run):
    with gzip.open(PUBLISHED / "scores" / f"{run}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def scores(tp, fp, fn, tn):
    """The official formulas; no image here has an empty mask or an empty truth."""
    jaccard = tp / (tp + fp + fn)
    return {
        "accuracy": (tp + tn) / (tp + fp + fn + tn),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "jaccard": jaccard,
        "threshold_jaccard": np.where(jaccard >= 0.65, jaccard, 0),
        "dice": 2 * tp / (2 * tp + fp + fn),
    }


def resampled(counts, pooled):
    """2000 draws with replacement of as many images: the means, or the scores of all pixels."""
    draws = np.random.default_rng(0).integers(len(counts), size=(2000, len(counts)))
    if pooled:
        return scores(*counts[draws].sum(axis=1).T)
    return {name: values[draws].mean(axis=1) for name, values in scores(*counts.T).items()}


@pytest.mark.parametrize("name", RUNS)
def test_every_score_is_that_of_its_images(name):
    card, rows = packaged_card(name), rows_of(RUNS[name])
    assert {row["set"] for row in rows} == set(card["sets"])
    assert len(card["scores"]) == 3 * 2 * 2
    assert sum(one["images"] for one in card["scores"]) == len(rows)
    for one in card["scores"]:
        mine = [
            row for row in rows if all(row[k] == one[k] for k in ("set", "views", "postprocessing"))
        ]
        counts = np.array([[int(row[k]) for k in ("tp", "fp", "fn", "tn")] for row in mine])
        assert one["images"] == len(counts) == len({row["id"] for row in mine})
        each, pooled = scores(*counts.T), scores(*counts.sum(axis=0))
        assert one["per_image"] == {key: round(float(each[key].mean()), 4) for key in each}
        assert one["pooled"] == {key: round(float(pooled[key]), 4) for key in pooled}
        assert one["below_0.65"] == np.count_nonzero(each["jaccard"] < 0.65)
        for key, is_pooled in (("intervals", False), ("pooled_intervals", True)):
            drawn = resampled(counts, is_pooled)
            for score, ends in one[key].items():
                expected = np.quantile(drawn[score], [0.025, 0.975])
                assert ends == pytest.approx(expected, abs=6e-5), (one["set"], score)


@pytest.mark.parametrize("name", RUNS)
def test_flips_and_regions_change_as_little_as_the_page_says(name):
    found = {
        (one["set"], one["views"], one["postprocessing"]): one["per_image"]["jaccard"]
        for one in packaged_card(name)["scores"]
    }
    for (images, views, how), score in found.items():
        assert abs(score - found[images, views, "none"]) <= 0.002
        assert abs(score - found[images, "none", how]) <= 0.006


@pytest.mark.parametrize("name", RUNS)
def test_nothing_that_is_tested_was_trained_on(name):
    card, folder = packaged_card(name), find_pretrained(name)
    trained = set((folder / TRAINED_ON).read_text().split())
    assert len(trained) == card["trained_on"]["images"] == 1528
    assert not trained & {row["id"] for row in rows_of(RUNS[name])}
    for excluded in card["training"]["excluded"]:
        assert not trained & named_ids(excluded)
    ids = {row["id"] for row in rows_of(RUNS[name]) if row["set"] == "isic2018-val"}
    assert ids == named_ids("isic2018-val")
    ids = {row["id"] for row in rows_of(RUNS[name]) if row["set"] == "isic2017-test"}
    assert ids == named_ids("isic2017-test") & named_ids("isic2018-train")


@pytest.mark.parametrize("name", RUNS)
def test_the_card_describes_its_files_and_its_training(name):
    card, folder = packaged_card(name), find_pretrained(name)
    for key, file in (("weights", WEIGHTS), ("trained_on", TRAINED_ON)):
        assert card[key]["sha256"] == hashlib.sha256((folder / file).read_bytes()).hexdigest()
    config = yaml.safe_load((PUBLISHED / f"{RUNS[name]}-config.yaml").read_text())
    assert config["seed_everything"] == card["training"]["seed"]
    assert config["data"]["init_args"]["exclude"] == card["training"]["excluded"]
    assert config["data"]["init_args"]["size"] == card["size"]
    assert config["model"]["class_path"] == card["model"]["class_path"]
    given = card["model"]["init_args"]
    known = config["model"]["init_args"]
    assert {key: known[key] for key in given if key not in ("size", "encoder_weights")} == {
        key: value for key, value in given.items() if key not in ("size", "encoder_weights")
    }
    curve = list(csv.DictReader((PUBLISHED / f"{RUNS[name]}-metrics.csv").open()))
    scored = {int(row["epoch"]): float(row["val/jaccard"]) for row in curve if row["val/jaccard"]}
    assert card["training"]["best_epoch"] == max(scored, key=scored.get)
    assert max(int(row["epoch"]) for row in curve) + 1 == card["training"]["epochs"]


def test_all_that_is_shipped_is_tested_here():
    assert list_pretrained() == sorted(RUNS)
