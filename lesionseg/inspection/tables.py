"""Render a table for the terminal, Markdown and HTML."""

from __future__ import annotations

import re
from html import escape
from typing import Literal, NamedTuple

from lesionseg.errors import printable

Style = Literal["text", "markdown", "html"]
_LONGEST_NAME = 24
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|&~#])")


class Table(NamedTuple):
    """Rows of text, the first column of which names the row.

    Attributes:
        header: Title of each column.
        rows: Cells of each row.

    Example:
        >>> table = Table(("set", "images"), (("train", "900"), ("test", "379")))
        >>> print(table.render("markdown"))
        | set   | images |
        | :---- | -----: |
        | train |    900 |
        | test  |    379 |
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __html__(self) -> str:
        """Return the table as HTML; templates with autoescape insert it unescaped."""
        return self.render("html")

    def render(self, style: Style) -> str:
        """Render the table, numbers to the right.

        Args:
            style: ``text``, with long cells cut at their start, ``markdown`` or ``html``.
        """
        columns = range(len(self.header))
        numeric = [c > 0 and any(row[c][:1].isdigit() for row in self.rows) for c in columns]
        clean = {"text": _shorten, "markdown": escape_markdown, "html": escape}[style]
        rows = [[clean(cell) for cell in row] for row in (self.header, *self.rows)]
        if style == "html":
            return _html(rows, numeric)
        widths = [max(len(row[c]) for row in rows) for c in columns]
        signs = [">" if numeric[c] else "<" for c in columns]
        padded = [[f"{row[c]:{signs[c]}{widths[c]}}" for c in columns] for row in rows]
        if style == "text":
            return "\n".join(f"  {'  '.join(row)}".rstrip() for row in padded)
        dashes = ["-" * (width - 1) for width in widths]
        rule = [f"{dashes[c]}:" if numeric[c] else f":{dashes[c]}" for c in columns]
        return "\n".join(f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:]))


def _html(rows: list[list[str]], numeric: list[bool]) -> str:
    lines = []
    for number, row in enumerate(rows):
        cells = []
        for column, cell in enumerate(row):
            tag = 'th scope="col"' if not number else "td" if column else 'th scope="row"'
            kind = ' class="number"' if numeric[column] else ""
            cells.append(f"<{tag}{kind}>{cell}</{tag[:2]}>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines[1:])
    return f"<table>\n<thead>{lines[0]}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def escape_markdown(text: str) -> str:
    r"""Escape what Markdown would interpret, such as in the name of a file.

    Example:
        >>> print(escape_markdown("<b>_a_.jpg"))
        \<b\>\_a\_.jpg
    """
    return _MARKDOWN.sub(r"\\\1", printable(text, breaks=False))


def _shorten(cell: str) -> str:
    cell = printable(cell, breaks=False)
    return cell if len(cell) <= _LONGEST_NAME else f"...{cell[3 - _LONGEST_NAME :]}"
