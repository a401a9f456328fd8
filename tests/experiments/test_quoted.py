"""The figures quoted from the papers, row by row against a second transcription."""

import re
from pathlib import Path

import pytest
from quoted import ASNET_TABLE_2, MOBILEGAN_TABLE_1, MOBILEGAN_TABLE_2, OURS, rows

from lesionseg.experiments.paper_table import load_table

ASNET = ("jaccard", "dice", "accuracy")
MOBILEGAN = ("accuracy", "dice", "jaccard", "sensitivity", "specificity", "parameters")
VALIDATION = ("threshold_jaccard", "parameters")
MODELS = Path(__file__).resolve().parents[2] / "docs" / "models"
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
            row |= {column: float(figure) for column, figure in figures.items()}
    ours = quoted("mobilegan-tables")
    assert set(ours) == set(printed) | CONTROLS
    for name, figures in printed.items():
        assert ours[name].quoted_parameters == figures.pop("parameters"), name
        assert ours[name].quoted == figures, name
        assert ours[name].quoted_std == {}
    for name in CONTROLS:
        assert ours[name].quoted == {}
        assert ours[name].quoted_parameters is None


def test_the_size_of_the_papers_tables_has_their_figures():
    sizes, tables = quoted("mobilegan-sizes"), quoted("mobilegan-tables")
    for name, row in sizes.items():
        of_tables = name == "128 x 128"
        assert row.quoted == (tables["MobileGAN"].quoted if of_tables else {})
        assert row.quoted_parameters == (2.35 if of_tables else None)


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


def columns_of(page, heading):
    """The Markdown table under a heading line that begins so: a list of cells for each row."""
    lines = (MODELS / page).read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(heading)) + 2
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def plain(table, columns):
    """A transcription as the documentation prints it: one list of cells for each row."""
    return [
        [
            name.replace(" ", "").replace("Proposed", "MobileGAN").replace("U-Net", "UNet"),
            *(figures.get(column, "").replace("±", " +- ") for column in columns),
        ]
        for name, figures in rows(table, columns).items()
    ]


@pytest.mark.skipif(not MODELS.is_dir(), reason="the documentation is not here")
@pytest.mark.parametrize(
    ("page", "heading", "table", "columns"),
    [
        ("asnet.md", "| row | Jaccard | Dice | accuracy |", ASNET_TABLE_2, ASNET),
        (
            "mobilegan.md",
            "| row | accuracy | Dice | Jaccard | sensitivity | specificity |",
            MOBILEGAN_TABLE_1,
            MOBILEGAN,
        ),
    ],
)
def test_the_documentation_quotes_the_same(page, heading, table, columns):
    found = columns_of(page, heading)
    assert [[name.replace("U-Net", "UNet"), *cells] for name, *cells in found] == plain(
        table, columns
    )


@pytest.mark.skipif(not MODELS.is_dir(), reason="the documentation is not here")
def test_the_documentations_other_figures_of_mobilegan():
    expected = plain(MOBILEGAN_TABLE_2, VALIDATION)
    (scores,) = columns_of("mobilegan.md", "| FCN | U-Net | SegNet | FrCN | GAN-FCN |")
    assert scores == [score for _, score, _ in expected]
    text = (MODELS / "mobilegan.md").read_text(encoding="utf-8")
    shares = re.findall(r'^    "([\w-]+)": \(([\d.]+), ([\d.]+), ([\d.]+)\)', text, re.MULTILINE)
    first = {OURS.get(name, name): row for name, row in rows(MOBILEGAN_TABLE_1, MOBILEGAN).items()}
    assert len(shares) >= 5
    for name, *figures in shares:
        wanted = [first[name][column] for column in ("accuracy", "sensitivity", "specificity")]
        assert figures == wanted


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
