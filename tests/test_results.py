"""The published numbers are those of the published per-image scores."""

import json
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from lesionseg.experiments.paper_table import load_table
from lesionseg.experiments.reproduction_plot import plot_table
from lesionseg.experiments.reproduction_report import plot_caption
from lesionseg.metrics.table import ScoreTable
from lesionseg.networks import create_network
from lesionseg.networks.summary import network_facts
from lesionseg.scoring.comparison import compare_tables

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = (RESULTS / "index.md").read_text(encoding="utf-8")
SCORES = ("jaccard", "threshold_jaccard", "dice", "accuracy")
NETWORKS = {
    "asnet": "asnet",
    "asnet-baseline": "asnet-baseline",
    "smp-unet-resnet34": "smp:unet/resnet34",
    "mobilegan": "mobilegan",
    "mobilegan-no-adversary": "mobilegan",
    "mobilegan-no-adversary-again": "mobilegan",
}


def rows_after(header, page=PAGE):
    """The cells of the lines of the table whose header begins so."""
    lines = page[page.index(f"| {header}") :].splitlines()[2:]
    ends = (number for number, line in enumerate(lines) if not line.startswith("|"))
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines[: next(ends, len(lines))]
    ]


def prose(text):
    """The text on one line, so that a sentence is found wherever its lines break."""
    return " ".join(text.split())


def millions(network):
    with torch.device("meta"):
        return sum(weight.numel() for weight in create_network(network).parameters()) / 1e6


def table_of(name):
    return ScoreTable.from_csv(RESULTS / "scores" / f"{name}.csv")


def test_every_score_is_that_of_its_images():
    rows = rows_after("scores |")
    assert {name.strip("`") for name, *_ in rows} == {
        path.stem for path in (RESULTS / "scores").iterdir()
    }
    for name, _, parameters, *cells in rows:
        table = table_of(name.strip("`"))
        assert parameters == f"{millions(NETWORKS[name.strip('`')]):.1f}"
        jaccard, interval, *others = cells
        low, high = table.interval("jaccard")
        assert interval == f"{low:.3f} to {high:.3f}"
        summary = table.summary()
        assert [jaccard, *others] == [f"{summary[score]:.4f}" for score in SCORES]
        assert len(table) == 100


def test_every_comparison_is_that_of_its_images():
    rows = rows_after("A |")
    assert len(rows) >= 4
    for a, b, difference, interval, p_value in rows:
        found = compare_tables(table_of(a.strip("`")), table_of(b.strip("`")))
        low, high = found.interval
        assert difference == f"{found.difference:+.4f}"
        assert interval == f"{low:+.4f} to {high:+.4f}"
        assert p_value == f"{found.p_value:.2g}"


def test_the_score_in_the_readme_is_that_of_the_card():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    card = json.loads(
        (ROOT / "lesionseg" / "weights" / "asnet-lite" / "card.json").read_text(encoding="utf-8")
    )
    (shipped,) = [
        scores["per_image"]["jaccard"]
        for scores in card["scores"]
        if (scores["set"], scores["views"], scores["postprocessing"])
        == ("isic2018-val", "none", "none")
    ]
    assert f"a mean Jaccard index of {shipped:.3f} on" in prose(readme)


def test_the_sentences_below_the_scores_are_those_of_the_images():
    shared = {f"ISIC_{number}" for number in re.findall(r"`(?:ISIC_)?(00\d{5})`", PAGE)}
    assert len(shared) == 6
    without, changes = [], []
    for name, *_ in rows_after("scores |"):
        table = table_of(name.strip("`"))
        kept = np.array([image not in shared for image in table.ids])
        assert kept.sum() == 94
        values = table.counts[kept]
        without.append((values[:, 0] / values[:, :3].sum(axis=1)).mean())
        changes.append(abs(without[-1] - table.summary()["jaccard"]))
    *first, last = [f"{value:.4f}" for value in without]
    assert f"in the order of the table, {', '.join(first)} and {last};" in prose(PAGE)

    assert f"none changes by more than {max(changes):.4f}." in prose(PAGE)

    def points(a, b):
        return 100 * (table_of(a).summary()["jaccard"] - table_of(b).summary()["jaccard"])

    again = "mobilegan-no-adversary-again"
    million = network_facts("mobilegan").parameters / 1e6
    for sentence in (
        f"It gains {points('asnet', 'asnet-baseline'):.1f} points on its Baseline and loses "
        f"{points('smp-unet-resnet34', 'asnet'):.1f} to the U-Net.",
        f"MobileGAN is {points('mobilegan-no-adversary', 'mobilegan'):.1f} points behind",
        f"These two runs differ by {points('mobilegan-no-adversary', again):.1f} points.",
        f"**The generator of {million:.1f} million parameters**",
    ):
        assert sentence in prose(PAGE)
    without = points("mobilegan-no-adversary", "mobilegan")
    page = (ROOT / "docs" / "models" / "mobilegan.md").read_text(encoding="utf-8")
    assert f"without it was {without:.1f} points of Jaccard better in one run" in prose(page)


def quick(name):
    return json.loads((RESULTS / f"{name}-quick.json").read_text(encoding="utf-8"))["results"]


def test_the_sentences_about_the_small_tables_are_those_of_their_scores():
    asnet = {row["row"]: row for row in quick("asnet-table2")}

    def lead(row):
        return 100 * row["reference_minus_row"]

    def ends(row):
        return [100 * row["difference_low"], 100 * row["difference_high"]]

    def bounds(row):
        low, high = sorted(abs(end) for end in ends(row))
        return f"{low:.1f} to {high:.1f}"

    no_sam = ends(asnet["ASM without SAM"])
    mobilegan = {
        row["row"]: row
        for row in quick("mobilegan-tables")
        if row["training"] == "as the paper" and row["test"] == "ISBI 2017 test, shared"
    }
    plain, weak, full = (
        mobilegan[name]
        for name in ("MobileGAN, no adversary", "MobileGAN, weak adversary", "MobileGAN")
    )
    for sentence in (
        f"ASNet is {-lead(asnet['Baseline']):.1f} points *below* its Baseline "
        f"(interval {bounds(asnet['Baseline'])};",
        f"{lead(asnet['ASM without dilation']):.1f} above the module without dilation "
        f"({bounds(asnet['ASM without dilation'])})",
        f"level with the module without scale-aware fusion ({no_sam[0]:.1f} to {no_sam[1]:.1f})",
        f"{lead(asnet['Baseline, wide']):.1f} above the wide Baseline.",
        f"leads it by {-lead(asnet['U-Net']):.1f}.",
        f"MobileGAN reaches {100 * full['jaccard']:.1f} with weight 1 and "
        f"{100 * plain['jaccard']:.1f} without a discriminator: {-lead(plain):.1f} points apart "
        f"({bounds(plain)}).",
        f"With weight 0.05 it reaches {100 * weak['jaccard']:.1f}.",
    ):
        assert sentence in prose(PAGE)
    sizes = [100 * row["threshold_jaccard"] for row in quick("mobilegan-sizes")]
    assert (
        "thresholded Jaccard index is {:.1f} at 64 x 64 pixels, {:.1f} at 128 x 128 and {:.1f} at "
        "256 x 256".format(*sizes)
    ) in prose(PAGE)
    leak_free = {
        row["row"]: row["jaccard"]
        for row in quick("mobilegan-tables")
        if row["training"] != "as the paper" and row["test"] == "ISBI 2017 test, shared"
    }
    assert sum(leak_free[name] > row["jaccard"] for name, row in mobilegan.items()) == 5
    assert len(leak_free) == 10
    assert "Five of the ten rows score higher with the leak and five without it" in prose(PAGE)


@pytest.mark.parametrize("name", ["asnet-table2", "mobilegan-tables", "mobilegan-sizes"])
def test_every_score_of_the_small_tables_is_that_of_their_json(name):
    """Each section's rows, official and pooled, with quoted figures, intervals and differences."""
    text = (RESULTS / f"{name}-quick.md").read_text(encoding="utf-8")
    records = quick(name)
    seen = 0
    for section in text.split("\n## ")[1:-1]:
        title, *_ = section.splitlines()
        for place, part in enumerate(section.split("\n| row | ")[1:]):
            header = part.splitlines()[0].strip(" |").split(" | ")
            prefix = "pooled_" if place else ""
            for row, *cells in rows_after("row |", f"| row | {part}"):
                (record,) = [
                    record
                    for record in records
                    if record["row"] == row
                    and title.endswith(record["test"])
                    and f", {record['training']}, " in title
                ]
                seen += 1
                for column, cell in zip(header, cells, strict=True):
                    check_cell(record, column, cell, prefix)
    assert seen >= len(records)


def check_cell(record, column, cell, prefix):
    if column.startswith("95 % interval"):
        low, high = (100 * record[f"interval_{end}"] for end in ("low", "high"))
        assert cell == f"{low:.2f} to {high:.2f}"
    elif column == "million parameters":
        assert float(cell.split()[0]) == round(record["parameters"] / 1e6, 2)
    elif " - row " in column:
        if record["reference_minus_row"] is None:
            assert cell == ""
            return
        values = [
            100 * record[key]
            for key in ("reference_minus_row", "difference_low", "difference_high")
        ]
        assert cell.startswith("{:+.1f} [{:+.1f}, {:+.1f}], ".format(*values))
        p = cell.rpartition(", ")[2]
        assert (
            p == "<.001"
            if record["wilcoxon_p"] < 0.001
            else float(p) == pytest.approx(record["wilcoxon_p"], abs=5e-4)
        )
    else:
        ours = float(re.match(r"[\d.]+", cell)[0])
        mean = record["mean_over_folds"] if column == record["score"] and not prefix else None
        assert ours == pytest.approx(100 * (mean or record[prefix + column]), abs=6e-3)
        quoted = re.search(r"\(([\d.]+)", cell)
        assert (quoted and float(quoted[1])) == record.get(f"paper_{column}")


@pytest.mark.parametrize(
    "name", ["asnet-table2-quick", "mobilegan-tables-quick", "mobilegan-sizes-quick"]
)
def test_the_quick_tables_are_published_whole(name):
    text = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert (RESULTS / f"{name}.png").stat().st_size > 10_000
    assert re.search(r"lesionseg reproduce \S+ --root DIR --budget quick", text)
    assert "seed 0" in text


@pytest.mark.parametrize(
    "name", ["asnet-table2-quick", "mobilegan-tables-quick", "mobilegan-sizes-quick"]
)
def test_a_plot_of_the_quick_budget_says_so_on_its_face(name, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    saved = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    table = load_table(saved["table"])
    caption = plot_caption(table, saved)
    assert caption.startswith("TINY BUDGET")
    assert "64 x 64 pixels" in caption
    assert "3 epochs" in caption
    assert "TINY" not in plot_caption(table, saved | {"budget": "full"})

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    with suppress(FileNotFoundError):  # nothing is saved
        plot_table(table, saved["results"], caption, tmp_path / "plot.png")
    (figure,) = drawn
    assert figure.get_suptitle() == caption
    points = sum(
        len(container[0].get_xdata()) for axis in figure.axes for container in axis.containers
    )
    assert points == len(saved["results"])
    first = saved["results"][0]
    means = figure.axes[0].containers[0][0].get_xdata()
    assert means[0] == pytest.approx(100 * first[first["score"]])
    (interval,) = figure.axes[0].containers[0][2]
    ends = interval.get_segments()[0][:, 0]
    assert ends == pytest.approx([100 * first["interval_low"], 100 * first["interval_high"]])
