"""The published numbers are those of the published per-image scores."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from lesionseg.experiments.paper_table import load_table
from lesionseg.experiments.reproduction_plot import plot_table
from lesionseg.experiments.reproduction_report import plot_caption
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.comparison import compare_tables

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
PAGE = (RESULTS / "index.md").read_text(encoding="utf-8")
SCORES = ("jaccard", "threshold_jaccard", "dice", "accuracy")


def rows_after(header):
    """The cells of the lines of the table whose header begins so."""
    lines = PAGE[PAGE.index(f"| {header}") :].splitlines()[2:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def table_of(name):
    return ScoreTable.from_csv(RESULTS / "scores" / f"{name}.csv")


def test_every_score_is_that_of_its_images():
    rows = rows_after("scores |")
    assert {name.strip("`") for name, *_ in rows} == {
        path.stem for path in (RESULTS / "scores").iterdir()
    }
    for name, _, _, *cells in rows:
        table = table_of(name.strip("`"))
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


@pytest.mark.parametrize("name", ["asnet-table2-quick", "mobilegan-tables-quick"])
def test_the_quick_tables_are_published_whole(name):
    text = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert (RESULTS / f"{name}.png").stat().st_size > 10_000
    assert re.search(r"lesionseg reproduce \S+ --root DIR --budget quick", text)
    assert "seed 0" in text


@pytest.mark.parametrize("name", ["asnet-table2-quick", "mobilegan-tables-quick"])
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
