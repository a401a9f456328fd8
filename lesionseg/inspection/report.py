"""The report in the terminal: plain text of at most 88 columns."""

from __future__ import annotations

import textwrap
from collections import Counter

from lesionseg.inspection.hashing import BITS, LEAST_CORRELATION, MOST_BITS
from lesionseg.inspection.overlaps import REVISED_BELOW, leak_sentences, shared_sentences
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

WIDTH = 88
_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_LONGEST_NAME = 24


def render_report(inspection: Inspection, shown: int = 5, ascii_only: bool = False) -> str:
    """Return the whole report, without a newline at its end.

    Args:
        inspection: What was found.
        shown: How many examples of each kind are named.
        ascii_only: Draw the histograms with ASCII characters, for terminals that know no others.
    """
    parts = [
        _text(count_table(inspection)),
        _text(size_table(inspection)),
        _text(_with_histograms(area_table(inspection), inspection, ascii_only)),
        _masks(inspection),
        _overlaps(inspection),
        _shared(inspection),
        _revisions(inspection, shown),
        _duplicates(inspection, shown),
        _problems(inspection, shown),
    ]
    return "\n\n".join(part for part in parts if part)


def _with_histograms(table: Table, inspection: Inspection, ascii_only: bool) -> Table:
    """The table with one more column: a character for each tenth of the image."""
    ramp = _ASCII if ascii_only else _BLOCKS
    areas = [one.areas for one in inspection.summaries if one.areas is not None]
    bars = [
        "".join(ramp[_height(count, max(one.histogram))] for count in one.histogram)
        for one in areas
    ]
    rows = tuple((*row, f"|{bar}|") for row, bar in zip(table.rows, bars, strict=True))
    return table._replace(header=(*table.header, "0 % .. 100 %"), rows=rows)


def _height(count: int, most: int) -> int:
    """0 to 8; what is there at all is seen."""
    return -(-8 * count // most)


def _masks(inspection: Inspection) -> str:
    lines = [_wrapped(sentence) for sentence in rule_sentences(inspection)]
    return "\n".join([_text(mask_table(inspection)), *lines]).strip()


def _overlaps(inspection: Inspection) -> str:
    lines = [_wrapped(sentence) for sentence in leak_sentences(inspection.overlaps)]
    return "\n".join([_text(overlap_table(inspection)), *lines]).strip()


def _shared(inspection: Inspection) -> str:
    sentences = shared_sentences(inspection.sets, inspection.shared)
    return "\n".join([_text(shared_table(inspection)), *map(_wrapped, sentences)]).strip()


def _revisions(inspection: Inspection, shown: int) -> str:
    twice = inspection.shared or any(one.here for one in inspection.overlaps)
    if not twice and not inspection.revisions:
        return ""  # nothing to compare
    records, sets = inspection.records, inspection.sets
    between = Counter(
        (records[one.first].place, records[one.second].place) for one in inspection.revisions
    )
    title = f"Masks that differ between sets (same id, intersection over union < {REVISED_BELOW})"
    lines = [title, *([] if between else ["  none"])]
    for (first, second), count in sorted(between.items()):
        lines.append(f"  {count:>5}  {sets[first].name} and {sets[second].name}")
    worst = [f"{records[one.first].id} {one.iou:.2f}" for one in inspection.revisions]
    if worst:
        lines.append(_wrapped(f"least overlap: {_some(worst, shown)}"))
    return "\n".join(lines)


def _duplicates(inspection: Inspection, shown: int) -> str:
    groups, records = inspection.duplicates, inspection.records
    title = (
        f"Copies under another id (hashes differ in {MOST_BITS} of {BITS} bits at most, "
        f"correlation {LEAST_CORRELATION})"
    )
    if not groups:
        lines = [title, "  none"]
    else:
        table = _text(copy_table(inspection)).splitlines()
        lines = [title, *table[1:]]
        named = [
            " = ".join(dict.fromkeys(records[index].id for index in group.members))
            for group in groups
        ]
        lines.append(_wrapped(f"{len(groups)} pictures: {_some(named, shown, '; ')}"))
        lines += [_wrapped(sentence) for sentence in leaking_copies(inspection)]
    if inspection.strangers:
        ids = [records[first].id for first, _ in inspection.strangers]
        lines.append(
            _wrapped(f"{len(ids)} with one id look different between sets: {_some(ids, shown)}")
        )
    return "\n".join(lines)


def _problems(inspection: Inspection, shown: int) -> str:
    kinds = Counter(one.kind for one in inspection.problems)
    lines = [f"Problems: {len(inspection.problems) or 'none'}"]
    for kind, count in kinds.most_common():
        lines.append(f"  {count:>5}  {kind}")
        examples = [one.message for one in inspection.problems if one.kind == kind][:shown]
        lines += [_wrapped(f"- {message}", "         ") for message in examples]
        if count > shown:
            lines.append(f"         and {count - shown} more")
    return "\n".join(lines)


def _some(names: list[str], shown: int, between: str = ", ") -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return between.join(names[:shown]) + more


def _wrapped(text: str, indent: str = "  ") -> str:
    """Lines of at most 88 columns; long paths stay whole, to be copied."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(table: Table) -> str:
    """A table with its title; numbers to the right, names to the left, long ones cut."""
    if not table.rows:
        return ""
    rows = [tuple(map(_short, row)) for row in (table.header, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    signs = [
        "<" if not column or not table.is_numeric(column) else ">" for column in range(len(widths))
    ]
    lines = [table.title]
    for row in rows:
        cells = [
            f"{cell:{sign}{width}}" for cell, sign, width in zip(row, signs, widths, strict=True)
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def _short(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_NAME else f"...{cell[3 - _LONGEST_NAME :]}"
