"""The figures quoted from the papers, row by row against a second transcription."""

import re

import pytest
from quoted import ASNET_TABLE_2, MOBILEGAN_TABLE_1, MOBILEGAN_TABLE_2, OURS, rows

from lesionseg.evaluation.paper_table import load_table

ASNET = ("jaccard", "dice", "accuracy")
MOBILEGAN = ("accuracy", "dice", "jaccard", "sensitivity", "specificity", "parameters")
VALIDATION = ("threshold_jaccard", "parameters")
CONTROLS = {"MobileGAN, no adversary", "MobileGAN, weak adversary"}


def quoted(name):
    return {row.name: row for row in load_table(name).rows}


def test_asnets_table():
    printed = {OURS.get(name, name): row for name, row in rows(ASNET_TABLE_2, ASNET).items()}
    ours = quoted("asnet-table2")
    assert list(ours) == list(printed)
    for name, figures in printed.items():
        pairs = {column: figure.split("±") for column, figure in figures.items()}
        assert ours[name].quoted == {column: float(mean) for column, (mean, _) in pairs.items()}
        assert ours[name].quoted_std == {column: float(std) for column, (_, std) in pairs.items()}


def test_mobilegans_tables():
    printed: dict[str, dict[str, float]] = {}
    for table, columns in ((MOBILEGAN_TABLE_1, MOBILEGAN), (MOBILEGAN_TABLE_2, VALIDATION)):
        for name, figures in rows(table, columns).items():
            row = printed.setdefault(OURS.get(name, name), {})
            row |= {
                column: float(figure)
                for column, figure in figures.items()
                if column != "parameters"
            }
    ours = quoted("mobilegan-tables")
    assert set(ours) == set(printed) | CONTROLS
    for name, figures in printed.items():
        assert ours[name].quoted == figures, name
        assert ours[name].quoted_std == {}
    for name in CONTROLS:
        assert ours[name].quoted == {}


def test_each_test_prints_the_columns_of_its_table():
    table = load_table("mobilegan-tables")
    columns = {name: tuple(test.quoted) for name, test in table.tests.items()}
    assert columns == {
        "ISBI 2017 test": MOBILEGAN[:-1],
        "ISBI 2017 test, shared": MOBILEGAN[:-1],
        "ISIC 2018 validation": VALIDATION[:-1],
    }
    (held_out,) = load_table("asnet-table2").tests.values()
    assert tuple(held_out.quoted) == ASNET


def test_the_two_tables_of_mobilegan_agree_on_the_parameters():
    first = rows(MOBILEGAN_TABLE_1, MOBILEGAN)
    for name, row in rows(MOBILEGAN_TABLE_2, VALIDATION).items():
        assert first.get(name, row)["parameters"] == row["parameters"]


@pytest.mark.parametrize(
    ("paper", "heading", "table"),
    [
        ("asnet", "The results of comparison experiments", ASNET_TABLE_2),
        ("mobilegan", "Table 1. Evaluating", MOBILEGAN_TABLE_1),
        ("mobilegan", "Table 2. Evaluating", MOBILEGAN_TABLE_2),
    ],
)
def test_the_transcription_is_the_paper(paper, heading, table, shared_data):
    text = (shared_data.parent / "papers" / f"{paper}.txt").read_text(encoding="utf-8")
    lines = text[text.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Methods\t")) + 1
    printed = []
    for line in lines[start : start + len(table.strip().splitlines())]:
        plain = re.sub(r"</?b>|<sup>.*?</sup>|\[\d+\]", "", line)
        printed.append([cell.strip() for cell in plain.split("\t")])
    assert [re.split(r"\s{2,}", line) for line in table.strip().splitlines()] == printed
