"""The tables of docs/pretrained.md are those of the published counts."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from lesionseg.networks.summary import network_facts

DOCS = Path(__file__).resolve().parents[2] / "docs"
README = DOCS.parent / "README.md"
SCORES = DOCS / "results" / "released" / "scores"
pytestmark = pytest.mark.skipif(not SCORES.is_dir(), reason="the published counts are not here")
SETS = ("held-out", "isic2018-val", "isic2017-test")
#: The compared models: run, network and the side of its images.
COMPARED = {
    "asnet-lite": ("lite-2", "asnet-lite", 256),
    "mobilegan": ("mobilegan-fast-plain-0", "mobilegan", 128),
    "U-Net, EfficientNet-Lite0": ("unet-lite0", "smp:unet/tu-tf_efficientnet_lite0", 256),
    "U-Net, MobileNetV2": ("unet-mobilenetv2", "smp:unet/mobilenet_v2", 256),
}


def table_after(mark, path=DOCS / "pretrained.md"):
    page = path.read_text(encoding="utf-8")
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
        assert shown == pytest.approx(expected, abs=5.01e-4), run


def test_every_difference_is_that_of_its_images():
    rows = table_after("differences")
    assert len(rows) > 8
    for a, b, *cells in rows:
        ours, theirs = counts_of(a), counts_of(b)
        for name, cell in zip(SETS, cells, strict=True):
            difference = jaccard(ours[name]) - jaccard(theirs[name])
            expected = [difference.mean(), *interval(difference)]
            assert numbers(cell) == pytest.approx(expected, abs=5.01e-4), (a, b, name)


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


def test_the_ablation_compares_its_rows_image_by_image():
    rows = table_after("ablation", DOCS / "results" / "index.md")
    names = ("asm", "baseline", "without-dilation", "without-attention", "unet")
    runs = [held_out_by_id(f"fold0-{name}") for name in names]
    assert len(rows) == len(names)
    assert len({tuple(run) for run in runs}) == 1  # the same images in all
    parameters = [6.48, 4.11, 6.48, 5.14, 5.20]
    for row, run, millions in zip(rows, runs, parameters, strict=True):
        counts, reference = (np.array(list(found.values())) for found in (run, runs[0]))
        each = jaccard(counts)
        assert float(row[1]) == millions
        assert numbers(row[2]) == pytest.approx([each.mean(), *interval(each)], abs=5.01e-4)
        assert float(row[3]) == pytest.approx(np.where(each >= 0.65, each, 0).mean(), abs=5.01e-4)
        assert float(row[4]) == pytest.approx(dice(counts).mean(), abs=5.01e-4)
        if run is runs[0]:
            assert row[5:] == ["", ""]
            continue
        difference = jaccard(reference) - each
        expected = [difference.mean(), *interval(difference)]
        assert numbers(row[5]) == pytest.approx(expected, abs=5.01e-4), row[0]
        p_value = wilcoxon(difference[difference != 0]).pvalue
        assert float(row[6]) == pytest.approx(p_value, rel=0.06), row[0]
    page = " ".join((DOCS / "results" / "index.md").read_text(encoding="utf-8").split())
    means = [100 * jaccard(np.array(list(run.values()))).mean() for run in runs]
    assert f"ASNet is {means[1] - means[0]:.1f} points below its Baseline" in page
    assert f"It is {means[4] - means[0]:.1f} points ahead of ASNet after 3 epochs" in page
    assert max(abs(means[0] - means[2]), abs(means[0] - means[3])) < 0.15, "0.1 points or less"


def held_out_by_id(run):
    """True and false positives and false negatives of each held-out image of the ablation."""
    path = SCORES.parent / "ablation" / f"{run}.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["postprocessing"] == "none"]
    assert {(row["set"], row["views"]) for row in rows} == {("held-out", "none")}
    return {row["id"]: [int(row[key]) for key in ("tp", "fp", "fn")] for row in rows}


def dice(counts):
    return 2 * counts[:, 0] / (counts[:, 0] + counts.sum(axis=1))


def test_the_models_of_the_readme_are_those_of_the_table_of_times():
    rows = table_after("models", README)
    saved = json.loads((DOCS / "benchmarks" / "pretrained.json").read_text(encoding="utf-8"))
    timed = {row[0]: row for row in saved["rows"]}
    assert [row[0] for row in rows] == list(COMPARED)
    for model, parameters, macs, milliseconds, image in rows:
        _, network, side = COMPARED[model]
        arguments = {"key_stride": 2} if network == "mobilegan" else {}
        facts = network_facts(network, **arguments)
        height, width = facts.size
        assert parameters == f"{facts.parameters / 1e6:.2f}"
        assert float(macs) == pytest.approx(
            facts.macs * side * side / (height * width) / 1e9, abs=0.011
        )
        assert milliseconds == timed[model][4].split()[0]
        assert image == f"{side} x {side}"


def test_the_readme_has_the_scores_of_the_page():
    assert table_after("comparison", README) == table_after("comparison")


def test_scores_per_image_and_pooled_are_those_of_the_counts():
    rows = table_after("comparison")
    assert len(rows) == len(COMPARED) * len(SETS)
    for index, (model, (run, _, _)) in enumerate(COMPARED.items()):
        counts = counts_of(run)
        for name, row in zip(SETS, rows[3 * index : 3 * index + 3], strict=True):
            assert row[0] == (model if name == "held-out" else "")
            each, pooled = counts[name], counts[name].sum(axis=0, keepdims=True)
            scores = [jaccard(each), np.where(jaccard(each) >= 0.65, jaccard(each), 0), dice(each)]
            expected = [number for s in scores for number in (s.mean(), *interval(s))]
            expected += [jaccard(pooled)[0], dice(pooled)[0]]
            shown = [number for cell in row[2:] for number in numbers(cell)]
            assert shown == pytest.approx(expected, abs=5.01e-4), (model, name)
