"""The tables of the released models' pages are those of the published counts."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lesionseg.networks.summary import network_facts
from lesionseg.pretrained import packaged_card

DOCS = Path(__file__).resolve().parents[2] / "docs"
RELEASED = DOCS / "results" / "released"
pytestmark = pytest.mark.skipif(not RELEASED.is_dir(), reason="the published counts are not here")
PAGES = {
    "asnet-lite": ("lite-2", "asnet-lite.md", 256),
    "mobilegan": ("mobilegan-fast-plain-0", "mobilegan-trained.md", 128),
    "mobilegan-distilled": ("mobilegan-distilled-1", "mobilegan-distilled.md", 128),
}
SETS = ("held-out", "isic2018-val", "isic2017-test")
TITLES = ("held-out", "2018 validation", "2017 test")


def read(path):
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def page_of(name):
    return (DOCS / "models" / PAGES[name][1]).read_text(encoding="utf-8")


def table_after(name, mark):
    lines = page_of(name).split(f"<!-- {mark} -->\n")[1].split(f"\n<!-- /{mark} -->")[0]
    rows = lines.splitlines()[2:]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


def jaccard_of(name):
    """The Jaccard index of each image, and the table of the images, by set and id."""
    images = {(row["set"], row["id"]): row for row in read(RELEASED / "images.csv.gz")}
    counts = read(RELEASED / "scores" / f"{PAGES[name][0]}.csv.gz")
    jaccard = {
        (row["set"], row["id"]): int(row["tp"]) / (int(row["tp"]) + int(row["fp"]) + int(row["fn"]))
        for row in counts
        if row["views"] == row["postprocessing"] == "none"
    }
    assert jaccard.keys() == images.keys()
    return jaccard, images


def chosen(images, title):
    area = np.array([float(row["area"]) for row in images])
    border = np.array([row["touches_border"] == "1" for row in images])
    contrast = np.array([float(row["contrast"]) for row in images])
    return {
        "lesion under 5 % of the image": area < 0.05,
        "5 to 20 %": (area >= 0.05) & (area < 0.2),
        "20 to 50 %": (area >= 0.2) & (area < 0.5),
        "50 % or more": area >= 0.5,
        "does not touch the border": ~border,
        "touches the border": border,
        "contrast under 10": contrast < 10,
        "10 to 20": (contrast >= 10) & (contrast < 20),
        "20 to 30": (contrast >= 20) & (contrast < 30),
        "30 or more": contrast >= 30,
    }[title]


@pytest.mark.parametrize("name", PAGES)
def test_scores_by_kind_of_image(name):
    jaccard, images = jaccard_of(name)
    rows = table_after(name, "kinds")
    assert len(rows) == 10
    for title, *cells in rows:
        for part, number, shown in zip(SETS, cells[::2], cells[1::2], strict=True):
            keys = [key for key in images if key[0] == part]
            picked = chosen([images[key] for key in keys], title)
            values = np.array([jaccard[key] for key in keys])[picked]
            draws = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
            ends = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
            numbers = [float(word.strip("()")) for word in shown.replace(" to ", " ").split()]
            assert int(number) == picked.sum()
            assert numbers == pytest.approx([values.mean(), *ends], abs=5.01e-4), title


@pytest.mark.parametrize("name", PAGES)
def test_worst_images(name):
    jaccard, images = jaccard_of(name)
    worst = sorted(jaccard.items(), key=lambda item: item[1])[:10]
    rows = table_after(name, "worst")
    assert [row[0] for row in rows] == [image for (_, image), _ in worst]
    for row, ((part, image), value) in zip(rows, worst, strict=True):
        described = images[part, image]
        assert row[1] == TITLES[SETS.index(part)]
        assert float(row[2]) == pytest.approx(value, abs=5.01e-4)
        assert float(row[3]) == pytest.approx(float(described["area"]), abs=5.01e-4)
        assert row[4:] == [["no", "yes"][int(described["touches_border"])], described["contrast"]]


@pytest.mark.parametrize("name", PAGES)
def test_scores_and_facts_are_those_of_the_card(name):
    card = packaged_card(name)
    rows = table_after(name, "scores")
    assert len(rows) == len(card["scores"]) == 12
    for row, scores in zip(rows, card["scores"], strict=True):
        mean = scores["per_image"]
        low, high = scores["intervals"]["jaccard"]
        assert row[0] == TITLES[SETS.index(scores["set"])]
        assert row[3] == f"{mean['jaccard']:.4f} ({low:.4f} to {high:.4f})"
        order = ("threshold_jaccard", "dice", "accuracy", "sensitivity", "specificity")
        assert row[4:9] == [f"{mean[score]:.4f}" for score in order]
        assert row[9] == f"{scores['pooled']['jaccard']:.4f}"
    page, size = page_of(name), PAGES[name][2]
    assert card["training"]["command"] in page
    assert f"| parameters | {card['parameters']:,} |" in page
    assert card["size"] == [size, size]
    network = card["network"]
    facts = network_facts(network["name"], **json.loads(json.dumps(network["arguments"])))
    macs = facts.macs * size * size / (facts.size[0] * facts.size[1])
    assert f"| {macs / 1e9:.2f} billion for one {size} x {size} image |" in page


def test_what_the_page_says_of_contrast():
    jaccard, images = jaccard_of("asnet-lite")
    titles = ("contrast under 10", "10 to 20", "20 to 30", "30 or more")
    expected = 0.0
    for title in titles:
        held_out = [row for key, row in images.items() if key[0] == "held-out"]
        test = [key for key in images if key[0] == "isic2017-test"]
        picked = chosen([images[key] for key in test], title)
        mean = np.array([jaccard[key] for key in test])[picked].mean()
        expected += chosen(held_out, title).mean() * mean
    all_of_it = np.mean([value for (part, _), value in jaccard.items() if part == "isic2017-test"])
    said = f"would be {expected:.3f} instead of {all_of_it:.3f}"
    page = " ".join(page_of("asnet-lite").split())
    assert said in page

    rows = {
        row[0]: [float(cell.split()[0]) for cell in row[2::2]]
        for row in table_after("asnet-lite", "kinds")
    }
    sizes = ("lesion under 5 % of the image", "5 to 20 %", "20 to 50 %", "50 % or more")
    for kinds, said in ((titles, "differs by {} to {} in"), (sizes, "those of size by {} to {}.")):
        spread = np.ptp([rows[title] for title in kinds], axis=0)
        assert said.format(f"{spread.min():.2f}", f"{spread.max():.2f}") in page
