"""The report as one HTML page: no script, no other file, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from lesionseg._version import __version__
from lesionseg.files import MARK, atomic_path
from lesionseg.inspection.hashing import BITS, LEAST_CORRELATION, MOST_BITS
from lesionseg.inspection.overlaps import REVISED_BELOW, leak_sentences, shared_sentences
from lesionseg.inspection.page_style import STYLE
from lesionseg.inspection.pictures import (
    Row,
    draw_all,
    duplicate_rows,
    extreme_rows,
    histogram_svg,
    revision_rows,
    sample_rows,
    stranger_rows,
)
from lesionseg.inspection.scan import Inspection
from lesionseg.inspection.tables import (
    Table,
    area_table,
    copy_table,
    count_table,
    leaking_copies,
    mask_table,
    overlap_table,
    rule_sentences,
    shared_table,
    size_table,
)

_MOST_PROBLEMS = 100  # of a kind


def write_page(inspection: Inspection, path: str | Path) -> None:
    """Write the page; the file appears whole or not at all.

    It shows examples only, so that it stays small: about 3 MB for any number of images.

    Args:
        inspection: What was found; the images that are shown are read once more.
        path: The HTML file.

    Raises:
        LesionsegError: If an image is no longer readable.
        OSError: If the page cannot be written.
    """
    text = render_page(inspection)
    with atomic_path(path) as unfinished:
        # Names of files may hold bytes that are no text.
        unfinished.write_text(text, encoding="utf-8", errors="replace")


def render_page(inspection: Inspection) -> str:
    """Return the page as text."""
    overlaps, revisions = inspection.overlaps, inspection.revisions
    pictures = {
        "copies": duplicate_rows(inspection),
        "strangers": stranger_rows(inspection),
        "revisions": revision_rows(inspection),
        "samples": sample_rows(inspection),
        "extremes": extreme_rows(inspection),
    }
    uris = draw_all(figure for rows in pictures.values() for row in rows for figure in row.figures)
    drawn = {name: _rows(rows, uris) for name, rows in pictures.items()}
    sections = [
        _section(
            "Sets",
            *map(_table, (count_table(inspection), size_table(inspection))),
            *map(_table, (area_table(inspection), mask_table(inspection))),
            *map(_warning, rule_sentences(inspection)),
            _histograms(inspection),
        ),
        _problems(inspection),
        _section(
            "The same images in several years",
            _table(overlap_table(inspection)),
            *map(_warning, leak_sentences(overlaps)),
        ),
        _section(
            "The same images in several splits",
            _table(shared_table(inspection)),
            *map(_warning, shared_sentences(inspection.sets, inspection.shared)),
        ),
        _section(
            f"Masks that differ between sets: {len(revisions)}",
            f"<p>One id, and an intersection over union under {REVISED_BELOW} after binarising "
            "at &gt; 128 and resizing to 128 x 128.</p>"
            if revisions
            else "",
            drawn["revisions"],
        ),
        _section(
            f"Copies under another id: {len(inspection.duplicates) or 'none'}",
            f"<p>Pictures whose perceptual hashes differ in at most {MOST_BITS} of {BITS} bits and "
            f"that correlate, small and grey, by {LEAST_CORRELATION} or more"
            f"{_surest(pictures['copies'], len(inspection.duplicates))}.</p>",
            _table(copy_table(inspection)),
            *map(_warning, leaking_copies(inspection)),
            drawn["copies"],
            "<h3>One id, but different pictures</h3>" if inspection.strangers else "",
            drawn["strangers"],
        ),
        _section("Samples, and the lesion's share", drawn["samples"]),
        _section("Smallest and largest lesions", drawn["extremes"]),
    ]
    title = "Inspection of " + ", ".join(str(path) for path in inspection.paths)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="generator" content="{MARK}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n"
        + "\n".join(section for section in sections if section)
        + f"\n<footer>lesionseg {__version__}. Outlines in green are the masks.</footer>\n"
        "</body>\n</html>\n"
    )


def _section(title: str, *parts: str) -> str:
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    kinds = [
        ' class="number"' if column and table.is_numeric(column) else ""
        for column in range(len(table.header))
    ]
    head = "".join(
        f'<th scope="col"{kind}>{escape(cell)}</th>'
        for kind, cell in zip(kinds, table.header, strict=True)
    )
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.title)}</caption>"
    return (
        f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _warning(sentence: str) -> str:
    return f'<p class="warning">{escape(sentence)}</p>'


def _histograms(inspection: Inspection) -> str:
    drawings = []
    for one in inspection.summaries:
        if one.areas is not None:
            counts = ", ".join(map(str, one.areas.histogram))
            name = escape(one.name)
            label = f"{name}: masks in each tenth of the lesion's share of the image: {counts}"
            drawing = histogram_svg(one.areas.histogram, label)
            drawings.append(f"<figure>{drawing}<figcaption>{name}</figcaption></figure>")
    if not drawings:
        return ""
    return f'<h3>Lesion\'s share of the image</h3>\n<div class="row">{"".join(drawings)}</div>'


def _rows(rows: Sequence[Row], uris: dict[int, str]) -> str:
    parts = []
    for row in rows:
        figures = "".join(
            f'<figure><img src="{uris[id(figure)]}" alt="{escape(figure.caption)}">'
            f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
            for figure in row.figures
        )
        parts.append(
            f'<div class="block"><h3>{escape(row.heading)}</h3>\n<div class="row">{figures}</div>'
            "</div>"
        )
    return '<div class="blocks">' + "\n".join(parts) + "</div>" if parts else ""


def _surest(rows: Sequence[Row], count: int) -> str:
    return f"; the {len(rows)} surest are shown" if len(rows) < count else ""


def _problems(inspection: Inspection) -> str:
    parts = []
    for kind, count in Counter(one.kind for one in inspection.problems).most_common():
        messages = [one.message for one in inspection.problems if one.kind == kind]
        items = "".join(f"<li>{escape(message)}</li>" for message in messages[:_MOST_PROBLEMS])
        more = f"<li>and {count - _MOST_PROBLEMS} more</li>" if count > _MOST_PROBLEMS else ""
        parts.append(
            f"<details open><summary>{escape(kind)}: {count}</summary><ul>{items}{more}</ul>"
            "</details>"
        )
    title = f"Problems: {len(inspection.problems) or 'none'}"
    return _section(title, *(parts or ["<p>Every file can be read.</p>"]))
