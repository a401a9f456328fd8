import os
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest_inspect import lesion, save_pair, write_broken
from conftest_isic import OFFICIAL, write_isic
from PIL import Image

from lesionseg.data import official_ids
from lesionseg.inspection import inspect_data, write_page

VOID = {"meta", "img", "rect", "line", "br"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID or (tag == "rect" and not self.get_starttag_text().endswith("/>")):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(root, tmp_path):
    path = tmp_path / "out" / "inspect.html"
    write_page(inspect_data(root), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    return Page(text), text


@pytest.fixture(scope="module")
def years(tmp_path_factory):
    """Two years that share ids, one of which has another mask in each."""
    root = tmp_path_factory.mktemp("years")
    ids = sorted(official_ids(2017, "train") & official_ids(2018, "train"))[:4]
    for year in (2017, 2018):
        write_isic(root, year, "train", 4, ids=ids)
    changed = root / OFFICIAL[2018, "train"][1] / f"{ids[0]}_segmentation.png"
    Image.fromarray(lesion((40, 56), (0, 0, 5, 5))).save(changed)
    return root, ids


def test_the_page_needs_nothing_else(years, tmp_path):
    page, text = page_of(years[0], tmp_path)
    assert {name for name, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    for _, attributes in page.tags:
        for key in ("src", "href", "data", "srcset"):
            assert attributes.get(key, "data:").startswith("data:")
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 500_000


def test_every_picture_has_a_text_and_can_be_decoded(years, tmp_path):
    page, _ = page_of(years[0], tmp_path)
    images = page.of("img")
    assert len(images) > 8
    assert all(image["alt"] for image in images)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    assert all(drawing["aria-label"] for drawing in page.of("svg"))


def test_a_revised_mask_and_the_leak_are_shown(years, tmp_path):
    page, _ = page_of(years[0], tmp_path)
    words = " ".join(page.words)
    assert f"{years[1][0]}: IoU" in words
    assert "ISIC 2017 train in green, ISIC 2018 train in red" in words
    assert "isic2017-test" in words


def test_problems_and_names_with_markup_are_shown_as_they_are(tmp_path):
    root = tmp_path / "a <b> & 'c'"
    write_broken(root)
    (root / "images" / "<img src=x>.jpg").write_bytes(b"")
    page, text = page_of(root, tmp_path)
    assert "<img src=x>" not in text
    words = "".join(page.words)
    assert "<img src=x>.jpg" in words
    assert "a <b> & 'c'" in words
    for kind in ("zero bytes: 2", "unreadable: 2", "no image: 1", "sizes differ: 1"):
        assert kind in words


def test_a_page_of_images_alone_and_of_blank_ones(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(60):
        Image.new("RGB", (300 - number, 200), "tan").save(images / f"{number}.png")
    page, text = page_of(images, tmp_path)
    assert "56 more" in "".join(page.words)
    assert "Copies under another id: 1" in "".join(page.words)
    assert len(text) < 200_000


def test_many_sets_make_no_larger_page(tmp_path):
    for number in range(40):
        save_pair(tmp_path / f"set{number}", tmp_path / f"set{number}", "a", number, ending="_mask")
    page, _ = page_of(tmp_path, tmp_path)
    assert len(page.of("img")) < 3 * 40


def test_a_histogram_is_as_high_as_its_counts(tmp_path):
    boxes = [(0, 0, 5, 128)] * 2 + [(0, 0, 15, 128)] * 4  # 5 % and 16 % of 96 rows
    for number, box in enumerate(boxes):
        save_pair(tmp_path / "images", tmp_path / "masks", str(number), number, lesion(box=box))
    page, _ = page_of(tmp_path, tmp_path)
    heights = [float(bar["height"]) for bar in page.of("rect")]
    assert np.allclose(heights, [24, 48] + 8 * [0])


def test_names_that_are_no_text_are_replaced(tmp_path):
    (tmp_path / "data").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "data") + b"/\xff.jpg")).write_bytes(b"")
    page, _ = page_of(tmp_path / "data", tmp_path)
    assert "zero bytes: 1" in "".join(page.words) or "unreadable: 1" in "".join(page.words)
