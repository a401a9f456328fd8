"""Which images the page shows, and how: small JPEGs and drawings that stand in the page itself."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from lesionseg.data.io.reading import read_thumbnail
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.inspection.records import MOST_THREADS, Record, read_any_mask
from lesionseg.inspection.scan import Inspection
from lesionseg.metrics.official import GRAY_THRESHOLD
from lesionseg.visualization import PREDICTION_COLOUR, TRUTH_COLOUR, draw_outline

#: Longest side of a picture, in pixels.
SIDE = 176
_QUALITY = 76
_MOST_SAMPLES, _ALL_SAMPLES = 6, 96  # of a set and of one kind; of all sets and one kind
_MOST_GROUPS, _MOST_MEMBERS = 48, 4
_MOST_REVISIONS = 40


class Figure(NamedTuple):
    """A picture to draw.

    Attributes:
        record: Whose image it is; its mask is outlined in green.
        caption: Below it.
        other: Whose mask is outlined in red, or None.
    """

    record: Record
    caption: str
    other: Record | None = None


class Row(NamedTuple):
    """Pictures that belong together.

    Attributes:
        heading: Above them; may be empty.
        figures: From left to right.
    """

    heading: str
    figures: tuple[Figure, ...]


def sample_rows(inspection: Inspection) -> list[Row]:
    """For each set a few images, evenly spaced by id."""
    count = _for_each(inspection)
    rows = []
    for place, one in enumerate(inspection.sets):
        readable = [record for record in inspection.records if _shown(record, place)]
        places = np.unique(np.linspace(0, len(readable) - 1, min(count, len(readable)), dtype=int))
        rows.append(Row(one.name, tuple(_captioned(readable[index]) for index in places)))
    return [row for row in rows if row.figures]


def extreme_rows(inspection: Inspection) -> list[Row]:
    """For each set the smallest lesions, empty masks first, and the largest."""
    count = _for_each(inspection)
    rows = []
    for place, one in enumerate(inspection.sets):
        ranked = sorted(
            (record for record in inspection.records if _shown(record, place) and record.lesion),
            key=lambda record: (record.lesion.area if record.lesion else 0, record.id),
        )
        half = min(count, len(ranked) // 2)
        if half:
            smallest = tuple(_captioned(record) for record in ranked[:half])
            largest = tuple(_captioned(record) for record in ranked[: -half - 1 : -1])
            rows += [
                Row(f"{one.name}: smallest lesions", smallest),
                Row(f"{one.name}: largest lesions", largest),
            ]
    return rows


def duplicate_rows(inspection: Inspection) -> list[Row]:
    """The surest groups of copies, side by side; each id once."""
    rows = []
    for group in inspection.duplicates[:_MOST_GROUPS]:
        by_id: dict[str, list[Record]] = {}
        for index in group.members:
            record = inspection.records[index]
            by_id.setdefault(record.id, []).append(record)
        figures = tuple(
            Figure(members[0], f"{id_}: {_places(inspection, members)}")
            for id_, members in list(by_id.items())[:_MOST_MEMBERS]
        )
        more = len(by_id) - len(figures)
        heading = f"bits that differ: {group.bits}" + (f", {more} more" if more else "")
        rows.append(Row(heading, figures))
    return rows


def stranger_rows(inspection: Inspection) -> list[Row]:
    """Images of one id that look different in two sets, side by side."""
    names = [one.name for one in inspection.sets]
    return [
        Row(
            inspection.records[pair[0]].id,
            tuple(
                Figure(record, names[record.place])
                for record in (inspection.records[index] for index in pair)
            ),
        )
        for pair in inspection.strangers[:_MOST_GROUPS]
    ]


def revision_rows(inspection: Inspection) -> list[Row]:
    """The masks that differ most between sets, both outlined on the image of the first."""
    rows: dict[str, list[Figure]] = {}
    for one in inspection.revisions[:_MOST_REVISIONS]:
        first, second = inspection.records[one.first], inspection.records[one.second]
        if first.look is None:
            first, second = second, first
        if first.look is not None:
            names = [inspection.sets[record.place].name for record in (first, second)]
            heading = f"{names[0]} in green, {names[1]} in red"
            caption = f"{first.id}: overlap {one.iou:.2f}"
            rows.setdefault(heading, []).append(Figure(first, caption, second))
    return [Row(heading, tuple(figures)) for heading, figures in rows.items()]


def draw_all(figures: Iterable[Figure]) -> dict[int, str]:
    """Draw figures, several at a time, with a progress bar on stderr where that is a terminal.

    Returns:
        A data URI of a JPEG for the ``id()`` of each figure.
    """
    figures = list(figures)
    with thread_pool(min(os.cpu_count() or 1, MOST_THREADS)) as pool:
        uris = tqdm(
            pool.map(_draw, figures),
            total=len(figures),
            desc="pictures",
            unit="image",
            disable=None,
        )
        return {id(figure): uri for figure, uri in zip(figures, uris, strict=True)}


def _draw(figure: Figure) -> str:
    record = figure.record
    assert record.image is not None
    picture, _ = read_thumbnail(record.image, SIDE)
    for one, colour in ((record, TRUTH_COLOUR), (figure.other, PREDICTION_COLOUR)):
        if one is not None and one.mask is not None and one.lesion is not None:
            grey = Image.fromarray(read_any_mask(one.mask, one.size, one.image, one.rule))
            grey = grey.resize(picture.size, Image.Resampling.BOX)
            picture = draw_outline(picture, np.asarray(grey) > GRAY_THRESHOLD, colour)
    return data_uri(picture)


def data_uri(picture: Image.Image) -> str:
    """A picture as a JPEG in a ``data:`` URI."""
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def histogram_svg(counts: Sequence[int], label: str) -> str:
    """A small drawing of a histogram of shares from 0 to 100 %, in the page's own colours.

    Args:
        counts: Of each class, from left to right.
        label: What it shows, for those who don't see it; without markup.
    """
    width, height, most = 200, 48, max([1, *counts])
    step = width / len(counts)
    bars = "".join(
        f'<rect x="{place * step + 1:.1f}" y="{height - height * count / most:.1f}" '
        f'width="{step - 2:.1f}" height="{height * count / most:.1f}"><title>{count}</title></rect>'
        for place, count in enumerate(counts)
    )
    axis = (
        f'<line x1="0" x2="{width}" y1="{height}" y2="{height}"/>'
        f'<text x="0" y="{height + 12}">0 %</text>'
        f'<text x="{width / 2}" y="{height + 12}" text-anchor="middle">50 %</text>'
        f'<text x="{width}" y="{height + 12}" text-anchor="end">100 %</text>'
    )
    return (
        f'<svg viewBox="0 0 {width} {height + 15}" width="{width}" height="{height + 15}" '
        f'role="img" aria-label="{label}">{bars}{axis}</svg>'
    )


def _for_each(inspection: Inspection) -> int:
    """How many pictures of a kind each set gets."""
    return max(1, min(_MOST_SAMPLES, _ALL_SAMPLES // len(inspection.sets)))


def _shown(record: Record, place: int) -> bool:
    return record.place == place and record.look is not None


def _captioned(record: Record) -> Figure:
    area = f": {100 * record.lesion.area:.1f} %" if record.lesion is not None else ""
    return Figure(record, record.id + area)


def _places(inspection: Inspection, members: Sequence[Record]) -> str:
    return ", ".join(inspection.sets[record.place].name for record in members)
