"""Choose the pictures of the HTML page, and draw them as small JPEGs in data URIs."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from lesionseg.data.io.reading import read_thumbnail
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.inspection.comparison import KINDS, MaskFinding, unpack
from lesionseg.inspection.records import MAX_THREADS, ImageRecord, Lesion, read_record_mask
from lesionseg.inspection.scan import Inspection
from lesionseg.metrics.official import GRAY_THRESHOLD
from lesionseg.visualization import PREDICTION_COLOR, TRUTH_COLOR, draw_outline

#: Longer side of a picture in pixels.
SIDE = 176
_QUALITY = 76
_MAX_SAMPLES, _MAX_ALL_SAMPLES = 6, 96  # per set, and of all sets
_MAX_GROUPS, _MAX_MEMBERS = 48, 4
_MAX_REVISIONS = 40
_MAX_WORST, _MAX_FAULTS = 48, 24  # masks that differ most from the model, and of each kind of fault


class Figure(NamedTuple):
    """A picture to draw.

    Attributes:
        record: Record of the image, whose mask is outlined in green.
        caption: Text below it.
        other: What is outlined in red: the mask of a record, or measurements of a prediction.
        uri: The picture as a data URI, once drawn.
    """

    record: ImageRecord
    caption: str
    other: ImageRecord | Lesion | None = None
    uri: str = ""


class Row(NamedTuple):
    """Pictures in a row, from left to right, with a heading."""

    heading: str
    figures: tuple[Figure, ...]


def choose_pictures(inspection: Inspection) -> dict[str, list[Row]]:
    """Choose pictures by the keys of the page's sections.

    Returns:
        Rows of ``comparison``, ``copies``, ``conflicts``, ``revisions``, ``samples`` and
        ``extremes``.
    """
    names = [image_set.name for image_set in inspection.sets]
    records = inspection.records
    rows: dict[str, list[Row]] = {"samples": [], "extremes": []}
    rows["copies"] = [
        _copies([records[index] for index in group.members], names, group.bits)
        for group in inspection.duplicates[:_MAX_GROUPS]
    ]
    rows["conflicts"] = [
        Row(
            records[pair[0]].id,
            tuple(Figure(r, names[r.set_index]) for r in map(records.__getitem__, pair)),
        )
        for pair in inspection.conflicts[:_MAX_GROUPS]
    ]
    rows["revisions"] = _revisions(inspection, names)
    rows["comparison"] = _worst(inspection)
    count = max(1, min(_MAX_SAMPLES, _MAX_ALL_SAMPLES // len(names)))
    for index, name in enumerate(names):
        readable = [r for r in records if r.set_index == index and r.fingerprint]
        if readable:
            spread = np.unique(
                np.linspace(0, len(readable) - 1, min(count, len(readable)), dtype=int)
            )
            rows["samples"].append(Row(name, _with_areas([readable[i] for i in spread])))
        ranked = [(r.lesion.area, r.id, r) for r in readable if r.lesion]
        by_area = [record for _, _, record in sorted(ranked, key=lambda item: item[:2])]
        half = min(count, len(by_area) // 2)
        if half:
            smallest, largest = by_area[:half], by_area[: -half - 1 : -1]
            rows["extremes"].append(Row(f"{name}: smallest lesions", _with_areas(smallest)))
            rows["extremes"].append(Row(f"{name}: largest lesions", _with_areas(largest)))
    return rows


def _copies(members: Sequence[ImageRecord], names: Sequence[str], bits: int) -> Row:
    """Show each id of a group once."""
    by_id: dict[str, list[ImageRecord]] = {}
    for record in members:
        by_id.setdefault(record.id, []).append(record)
    figures = tuple(
        Figure(found[0], f"{id_}: {', '.join(names[record.set_index] for record in found)}")
        for id_, found in list(by_id.items())[:_MAX_MEMBERS]
    )
    more = len(by_id) - len(figures)
    return Row(f"bits that differ: {bits}" + (f", {more} more" if more else ""), figures)


def _revisions(inspection: Inspection, names: Sequence[str]) -> list[Row]:
    """Show both masks on the image of the first set."""
    rows: dict[str, list[Figure]] = {}
    for first, second, iou in inspection.revisions[:_MAX_REVISIONS]:
        pair = inspection.records[first], inspection.records[second]
        a, b = pair if pair[0].fingerprint else pair[::-1]
        if a.fingerprint:
            heading = f"{names[a.set_index]} in green, {names[b.set_index]} in red"
            rows.setdefault(heading, []).append(Figure(a, f"{a.id}: IoU {iou:.2f}", b))
    return [Row(heading, tuple(figures)) for heading, figures in rows.items()]


def _worst(inspection: Inspection) -> list[Row]:
    """Show the masks that differ most from a model's predictions, and each kind of fault."""
    if inspection.comparison is None:
        return []
    findings = inspection.comparison.findings
    chosen = {"Differ most: mask in green, prediction in red": findings[:_MAX_WORST]}
    for kind in KINDS:
        faults = tuple(finding for finding in findings if finding.kind == kind)
        chosen[f"{kind.capitalize()}: {len(faults)}"] = faults[:_MAX_FAULTS]
    return [
        Row(heading, tuple(_compared(inspection, finding) for finding in some))
        for heading, some in chosen.items()
        if some
    ]


def _compared(inspection: Inspection, finding: MaskFinding) -> Figure:
    record = inspection.records[finding.record]
    kind = f", {finding.kind}" if finding.kind else ""
    return Figure(record, f"{record.id}: IoU {finding.iou:.2f}{kind}", finding.predicted)


def _with_areas(records: Sequence[ImageRecord]) -> tuple[Figure, ...]:
    """Caption records with their lesion's percentage of the image."""
    return tuple(
        Figure(record, record.id + (f": {100 * record.lesion.area:.1f} %" if record.lesion else ""))
        for record in records
    )


def draw_pictures(chosen: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Draw pictures in several threads, with a progress bar if stderr is a terminal.

    Returns:
        The same rows, whose figures have a data URI.
    """
    figures = [figure for rows in chosen.values() for row in rows for figure in row.figures]
    with thread_pool(min(os.cpu_count() or 1, MAX_THREADS)) as pool:
        results = pool.map(_draw, figures)
        progress = tqdm(results, total=len(figures), desc="pictures", unit="image", disable=None)
        drawn = iter(list(progress))
    return {
        key: [Row(row.heading, tuple(next(drawn) for _ in row.figures)) for row in rows]
        for key, rows in chosen.items()
    }


def _draw(figure: Figure) -> Figure:
    assert figure.record.image is not None
    picture, _ = read_thumbnail(figure.record.image, SIDE)
    for drawn, color in ((figure.record, TRUTH_COLOR), (figure.other, PREDICTION_COLOR)):
        mask = None
        if isinstance(drawn, Lesion):
            mask = Image.fromarray(unpack(drawn).astype(np.uint8) * np.uint8(255))
        elif drawn is not None and drawn.lesion is not None:
            mask = Image.fromarray(read_record_mask(drawn))
        if mask is not None:
            share = np.asarray(mask.resize(picture.size, Image.Resampling.BOX))
            picture = draw_outline(picture, share > GRAY_THRESHOLD, color)
    return figure._replace(uri=to_data_uri(picture))


def to_data_uri(picture: Image.Image) -> str:
    """Return an RGB picture as the data URI of a JPEG, for a page without other files."""
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
