"""One table for the terminal, Markdown and HTML, whatever names it holds."""

import html
import re
from html.parser import HTMLParser

import pytest

from lesionseg.inspection.tables import Table, escape_markdown

HOSTILE = ["<script>alert(1)</script>", "a|b", "`x` *y* _z_", '"&amp;', "[a](http://b)", "a\nb"]


class Cells(HTMLParser):
    """Collects the tags and the text of each cell."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells and data.strip():
            self.cells[-1] += data


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_cell(name):
    table = Table(("set", "images"), ((name, "12"), ("b", "3")))
    page = Cells(table.render("html"))
    assert set(page.tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.cells == ["set", "images", name, "12", "b", "3"]
    rows = table.render("markdown").splitlines()
    assert len(rows) == 4
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert not re.search(r"(?<!\\)[<>`*_\[]", rows[2])
    assert len(table.render("text").splitlines()) == 3


def test_numbers_are_aligned_to_the_right_everywhere():
    table = Table(("set", "images", "also in"), (("a", "5", "b"), ("c", "1234", "d")))
    assert table.render("text").splitlines() == [
        "  set  images  also in",
        "  a         5  b",
        "  c      1234  d",
    ]
    assert table.render("markdown").splitlines()[1] == "| :-- | -----: | :------ |"
    classes = re.findall(r"<t[hd]\b([^>]*)>", table.render("html"))
    assert ['class="number"' in kind for kind in classes] == [False, True, False] * 3


def test_a_long_name_is_cut_in_the_terminal_only():
    name = "folder/" * 6 + "end"
    table = Table(("set",), ((name,),))
    assert table.render("text").splitlines()[1] == f"  ...{name[-21:]}"
    assert name in table.render("markdown")
    assert html.escape(name) in table.render("html")


def test_escaped_markdown_says_what_it_said():
    for name in HOSTILE[:-1]:
        assert re.sub(r"\\(.)", r"\1", escape_markdown(name)) == name
