"""More than two models against the first one."""

import csv
import io
import json

import numpy as np
import pytest

from lesionseg.cli import main as cli
from lesionseg.errors import InvalidDataError
from lesionseg.metrics.table import ScoreTable
from lesionseg.scoring.comparison import compare_tables
from lesionseg.scoring.comparison_plot import draw_table
from lesionseg.scoring.comparison_table import compare_with_first, holm, latex

NAMES = ["ASNet runs/a_1", "U-Net & co", "MobileGAN | 50%"]


def table_of(jaccard, start=0):
    tp = np.round(np.asarray(jaccard) * 1000).astype(int)
    counts = np.stack([tp, 0 * tp, 1000 - tp, 0 * tp + 9000], axis=1)
    return ScoreTable([f"ISIC_{number + start:07d}" for number in range(len(tp))], counts)


@pytest.fixture
def tables():
    hard = np.random.default_rng(3).uniform(0.3, 0.8, 40)
    noise = np.random.default_rng(4).normal(0, 0.02, 40)
    return [table_of(hard), table_of(hard + 0.05), table_of(hard + noise)]


def test_each_is_compared_with_the_first(tables):
    made = compare_with_first(NAMES, tables, seed=5)
    assert made.first == tables[0].summary()["jaccard"]
    for one, table in zip(made.comparisons, tables[1:], strict=True):
        alone = compare_tables(table, tables[0], seed=5)
        assert (one.difference, one.interval) == (alone.difference, alone.interval)
        assert one.p_value == alone.p_value
    better, unclear = made.comparisons
    assert better.difference == pytest.approx(0.05)
    assert better.interval[0] > 0
    assert unclear.interval[0] < 0 < unclear.interval[1]
    assert made.adjusted == [2 * better.p_value, unclear.p_value]


def test_holm_by_hand():
    # 4 * 0.01, 3 * 0.02, 2 * 0.03 raised to the one before, 1 * 0.5
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_formats(tables):
    made = compare_with_first(NAMES, tables)
    rows = list(csv.reader(io.StringIO(made.to_csv())))
    assert rows[0][:3] == ["run", "jaccard", "difference"]
    assert [row[0] for row in rows[1:]] == NAMES
    assert rows[1][2:] == [""] * 8
    assert rows[2][2] == "+0.0500"
    assert rows[2][-3:] == ["40", "0", "0"]

    markdown = made.to_markdown().splitlines()
    assert markdown[1] == "| --- |" + " ---: |" * 9
    assert markdown[4].startswith(r"| MobileGAN \| 50% |")
    shown = made.to_latex().splitlines()
    assert shown[0] == r"\begin{tabular}{lrrrrrrrrr}"
    assert shown[2] == r"\hline"
    assert r"95\% low" in shown[1]
    assert shown[3].startswith(r"ASNet runs/a\_1 & ")
    assert shown[4].startswith(r"U-Net \& co & ")
    assert all(line.endswith(r"\\") for line in (shown[1], *shown[3:-1]))
    assert latex("a\\b~^{$#}") == r"a\textbackslash{}b\textasciitilde{}\textasciicircum{}\{\$\#\}"

    content = json.loads(made.to_json())
    assert (content["score"], content["images"]) == ("jaccard", 40)
    assert content["runs"][0] == {"name": NAMES[0], "mean": made.first}
    assert content["runs"][1]["interval"] == list(made.comparisons[0].interval)
    assert content["runs"][2]["p_value_holm"] == made.adjusted[1]

    text = compare_with_first(["x" * 200, *NAMES[1:]], tables).render()
    assert max(map(len, text.splitlines())) <= 80
    assert "\n2  U-Net & co\n" in text
    assert f"\n2{made.comparisons[0].mean_a:>8.4f}     +0.0500" in text
    assert text.count("40/0/0") == 1


def test_the_images_must_be_the_same_unless_the_common_ones_do(tables):
    shifted = table_of(tables[2].scores["jaccard"], start=30)  # shares the last 10
    with pytest.raises(InvalidDataError, match=r"A is c and B is a: 30 images are only in A"):
        compare_with_first("abc", [*tables[:2], shifted])
    with pytest.raises(InvalidDataError, match="different masks"):
        compare_with_first("ac", [tables[0], ScoreTable(tables[0].ids, tables[0].counts * 2)])
    shares = ScoreTable(tables[0].ids[30:], tables[2].counts[30:])
    made = compare_with_first("abc", [*tables[:2], shares], common=True)
    assert [len(one) for one in made.comparisons] == [10, 10]
    assert made.first == pytest.approx(tables[0].scores["jaccard"][30:].mean())
    with pytest.raises(InvalidDataError, match="share 0 images"):
        compare_with_first("ab", [tables[0], table_of([0.5, 0.6], start=90)], common=True)


def test_the_picture_has_a_line_for_each(tables):
    made = compare_with_first(NAMES, tables)
    axes = draw_table(made).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES[1:]
    intervals = [tuple(lines.get_segments()[0][:, 0]) for lines in axes.collections]
    assert intervals == [pytest.approx(one.interval) for one in made.comparisons]


def test_the_command_takes_three_tables(tables, tmp_path, capsys):
    files = []
    for name, table in zip("abc", tables, strict=True):
        table.to_csv(tmp_path / f"{name}.csv")
        files.append(str(tmp_path / f"{name}.csv"))
    made = compare_with_first(files, tables)
    for output, text in (
        ("table", made.render()),
        ("json", made.to_json()),
        ("csv", made.to_csv()),
        ("markdown", made.to_markdown()),
        ("latex", made.to_latex()),
    ):
        assert cli.main(["compare", *files, "--output", output]) == 0
        assert capsys.readouterr().out == text + "\n"
    assert cli.main(["compare", *files[:2], "--output", "markdown"]) == 0
    two = compare_with_first(files[:2], tables[:2])
    assert capsys.readouterr().out == two.to_markdown() + "\n"
    assert cli.main(["compare", *files, "--plot", str(tmp_path / "plot.png")]) == 0
    assert (tmp_path / "plot.png").stat().st_size > 0
