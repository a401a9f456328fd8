"""Numbers in the sentences of the pages are recomputed from what they describe."""

import csv
import gzip
import json
import math
import re

import numpy as np
import pytest
import torch
from conftest_docs import DOCS, page, parameters
from scipy.stats import spearmanr

from lesionseg import list_pretrained
from lesionseg.files import size_text
from lesionseg.networks import SegANCritic

ROOT = DOCS.parent
SCORES = DOCS / "results" / "released" / "scores"
WEIGHTS = ROOT / "lesionseg" / "weights"


def jaccards(run, views="none", postprocessing="none"):
    """Per-image Jaccard indices of a released run, by test set."""
    found = {}
    with gzip.open(SCORES / f"{run}.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            if (row["views"], row["postprocessing"]) == (views, postprocessing):
                tp, fp, fn = (int(row[key]) for key in ("tp", "fp", "fn"))
                found.setdefault(row["set"], []).append(tp / (tp + fp + fn))
    return {name: np.array(values) for name, values in found.items()}


def test_the_index_counts_the_choices_that_an_argument_changes():
    rows = []
    for name in ("asnet", "mobilegan", "segan", "gan-fcn"):
        text = (DOCS / "models" / f"{name}.md").read_text(encoding="utf-8")
        table = text[text.index("| open question") :].split("\n\n")[0].splitlines()[2:]
        rows += [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert all(len(row) == 3 for row in rows)
    changeable = sum(bool(row[2]) for row in rows)
    assert f"for {changeable} of these {len(rows)} choices an argument" in page("index.md")


def test_the_pretrained_page_counts_images_parameters_and_bytes():
    text = page("pretrained.md")
    released = {"asnet-lite": "lite-2", "mobilegan": "mobilegan-fast-plain-0"}
    released |= {"mobilegan-distilled": "mobilegan-distilled-1"}
    assert set(list_pretrained()) == set(released)
    sets = {name: len(values) for name, values in jaccards("lite-2").items()}
    for name, run in released.items():
        card = json.loads((WEIGHTS / name / "card.json").read_text(encoding="utf-8"))
        megabytes = (WEIGHTS / name / "model.safetensors").stat().st_size / 1e6
        row = re.search(
            rf"\| `{name}` \| [^|]+ \| ([^|]+) \| ([^|]+) \| ([^|]+) \| `([^|]+)` \|", text
        )
        height, width = card["size"]
        expected = (f"{card['parameters']:,}", f"{height} x {width}", f"{megabytes:.1f} MB", run)
        assert row.groups() == expected
        images = len((WEIGHTS / name / "trained-on.txt").read_text().split())
        assert f"trained on the same {images} images" in text
    assert f"other fifth ({sets['held-out']} images" in text
    assert f"*2018 validation* is {sets['isic2018-val']} images" in text
    assert f"the {sets['isic2017-test']} of the 600 ISIC 2017 test images" in text
    changes = {"flips": 0.0, "largest": 0.0}
    for run in released.values():
        plain = jaccards(run)
        others = {
            "flips": jaccards(run, views="flips"),
            "largest": jaccards(run, postprocessing="largest-region"),
        }
        for name in plain:
            for kind, other in others.items():
                change = abs(other[name].mean() - plain[name].mean())
                changes[kind] = max(changes[kind], change)
    flips, largest = (math.ceil(1000 * changes[kind]) / 1000 for kind in ("flips", "largest"))
    assert (
        f"Averaging over flips changes the Jaccard index of the shipped models by at most "
        f"{flips:.3f}, keeping only the largest region by at most "
        f"{largest:.3f}." in text
    )


def test_mobilegans_page_counts_weights_and_scores():
    text = page("models/mobilegan.md")
    silent = int(re.search(r"([\d,]+) of the generator's weights", text)[1].replace(",", ""))
    assert f"({100 * silent / parameters('mobilegan'):.1f} %)" in text
    printed, plain = (
        jaccards(f"mobilegan-fast-{name}-0")["isic2018-val"].mean() for name in ("printed", "plain")
    )
    assert f"index of {printed:.3f} on 2018 validation, and {plain:.3f} without" in text


def test_the_size_of_the_training_images_is_that_of_their_archive():
    size, short = re.search(
        r"training images take ([\d,]+) bytes \(([^)]+)\)", page("data.md")
    ).groups()
    assert size_text(int(size.replace(",", ""))) == short
    assert f"take {short}." in page("getting-started.md")
    assert f"({short} for the training images of 2018)" in page("../README.md")


def test_segans_page_adds_the_parameters():
    with torch.device("meta"):
        critic = sum(weight.numel() for weight in SegANCritic().parameters())
    total = critic + parameters("segan")
    text = page("models/segan.md")
    assert f"ours have {total / 1e6:.1f} million together" in text
    # Weight, gradient and Adam's two numbers, four bytes each.
    assert f"about {16 * total / 1e9:.1f} GB for weights, gradients and optimizers" in text


@pytest.mark.parametrize(
    ("name", "arguments", "where", "shown"),
    [
        ("multiresunet", {"authors_layers": True}, "networks.md", "{:,} parameters, 7,262,750"),
        ("asnet-lite", {}, "models/asnet.md", "{million:.1f} million parameters in total"),
        ("asnet", {}, "getting-started.md", "`best.ckpt` of {megabytes:.0f} MB"),
        ("mobilegan", {}, "models/mobilegan.md", "has {million:.2f} million parameters"),
        ("mobilegan", {}, "models/mobilegan.md", "several have {million:.2f} million parameters"),
    ],
)
def test_a_parameter_count_in_a_sentence(name, arguments, where, shown):
    count = parameters(name, **arguments)
    sentence = shown.format(count, million=count / 1e6, megabytes=4 * count / 1e6)
    assert sentence in page(where)


def test_confidence_and_what_it_finds_are_those_of_the_images():
    found = {}
    with (DOCS / "results" / "released" / "confidence.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            pair = float(row["confidence"]), float(row["jaccard"])
            found.setdefault(row["model"], []).append(pair)
    assert sorted(found) == sorted(list_pretrained())
    said = page("segment.md")
    for model, pairs in found.items():
        confidence, jaccard = np.array(pairs).T
        assert len(pairs) == 100
        low, failed = confidence < 0.9, jaccard < 0.65
        cells = (
            f"{confidence.mean():.3f}",
            f"{jaccard.mean():.3f}",
            f"{spearmanr(confidence, jaccard).statistic:.2f}",
            f"{low.sum()}",
            f"{(low & failed).sum()} of {failed.sum()}",
        )
        assert f"| `{model}` | {' | '.join(cells)} |" in said
