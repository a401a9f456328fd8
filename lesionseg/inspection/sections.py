"""Sections of the report, the same in the terminal, in Markdown and on the HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from lesionseg.errors import shorten
from lesionseg.inspection.comparison import (
    INVERTED,
    INVERTED_FRAME,
    INVERTED_GAIN,
    KINDS,
    LEAST_SHIFT,
    SHIFTED,
    SHIFTED_GAIN,
    WHOLE,
    ModelComparison,
)
from lesionseg.inspection.hashing import BITS, MAX_BITS, MIN_CORRELATION, SIDE
from lesionseg.inspection.overlaps import REVISED_BELOW, Overlap
from lesionseg.inspection.scan import Inspection
from lesionseg.inspection.tables import Table

_LOW_IOU = 0.5


class Section(NamedTuple):
    """A part of the report.

    Attributes:
        key: Name of the pictures that belong to it on the page.
        title: Heading.
        note: How the findings are defined.
        table: Table without rows if there is none.
        warnings: Sentences about consequences and fixes.
        examples: Names of the clearest findings, which the page shows as pictures.
        lists: Headings with all of their findings.
    """

    key: str
    title: str
    note: str = ""
    table: Table = Table((), ())
    warnings: tuple[str, ...] = ()
    examples: str = ""
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()


def build_sections(inspection: Inspection, shown: int, ramp: str = "") -> list[Section]:
    """Return the sections that have content.

    Args:
        inspection: Findings.
        shown: Number of examples.
        ramp: Characters of a histogram's column from empty to full; none leaves histograms out.
    """
    sections = [
        Section("files", "Files", table=_count_table(inspection)),
        Section("sizes", "Image sizes", table=_size_table(inspection)),
        Section("areas", "Lesion area", table=_area_table(inspection, ramp)),
        Section(
            "masks", "Masks", table=_mask_table(inspection), warnings=_rule_sentences(inspection)
        ),
        Section(
            "overlaps",
            "Ids shared between years",
            table=_overlap_table(inspection),
            warnings=leak_sentences(inspection.overlaps),
        ),
        Section(
            "shared",
            "Ids shared between splits",
            table=_shared_table(inspection),
            warnings=_shared_sentences(inspection),
        ),
        *_comparison(inspection, shown),
        *_revisions(inspection, shown),
        _copies(inspection, shown),
        *_conflicts(inspection, shown),
    ]
    filled = [section for section in sections if section.table.rows or section.note]
    return [*filled, _problems(inspection)]


def _count_table(inspection: Inspection) -> Table:
    rows = [
        (
            summary.name,
            f"{summary.images}",
            f"{summary.masks}" if image_set.masks is not None else "none",
            f"{summary.usable}",
            f"{summary.official}" if summary.official is not None else "",
        )
        for summary, image_set in zip(inspection.summaries, inspection.sets, strict=True)
    ]
    return Table(("set", "images", "masks", "usable", "official images"), tuple(rows))


def _size_table(inspection: Inspection) -> Table:
    rows = [
        (
            summary.name,
            *(f"{width} x {height}" for height, width in summary.sizes[:3]),
            f"{summary.sizes.distinct}",
            " to ".join(dict.fromkeys(f"{aspect:.2f}" for aspect in summary.sizes.aspects)),
        )
        for summary in inspection.summaries
        if summary.sizes
    ]
    header = ("width x height", "smallest", "median", "largest", "distinct", "width / height")
    return Table(header, tuple(rows))


def _area_table(inspection: Inspection, ramp: str) -> Table:
    rows = []
    for summary in inspection.summaries:
        if summary.areas:
            quartiles = [f"{100 * area:.1f}" for area in summary.areas.quartiles]
            counts = summary.areas.histogram
            # Rounded up: a bin that is not empty is visible.
            bars = [ramp[-((1 - len(ramp)) * n // max(counts))] for n in counts] if ramp else []
            rows.append((summary.name, *quartiles, *([f"|{''.join(bars)}|"] if ramp else [])))
    header = ("% of the image", "smallest", "25 %", "median", "75 %", "largest")
    return Table((*header, "0 % .. 100 %") if ramp else header, tuple(rows))


def _mask_table(inspection: Inspection) -> Table:
    rows = [
        (
            summary.name,
            f"{100 * areas.touching:.1f} %",
            f"{areas.empty}",
            f"{areas.full}",
            f"{100 * areas.gray_masks:.1f} %",
            f"{100 * areas.gray_pixels:.2f} %",
        )
        for summary in inspection.summaries
        if (areas := summary.areas)
    ]
    header = ("masks", "touch the border", "empty", "all lesion", "with gray", "gray pixels")
    return Table(header, tuple(rows))


def _rule_sentences(inspection: Inspection) -> tuple[str, ...]:
    """State what counts as lesion in each set whose masks are not of 0 and 255."""
    rules = {record.set_index: record.rule for record in inspection.records if record.lesion}
    return tuple(
        f"The masks of {inspection.sets[index].name} hold {rule}."
        for index, rule in sorted(rules.items())
        if not rule.is_usual
    )


def _overlap_table(inspection: Inspection) -> Table:
    rows = [
        (
            overlap.training,
            f"ISIC {overlap.year} {overlap.split}",
            "not here" if overlap.here is None else f"{overlap.here}",
            f"{overlap.listed} of {overlap.total}",
        )
        for overlap in inspection.overlaps
    ]
    header = ("training images", "also in", "among the files", "by the official lists")
    return Table(header, tuple(rows))


def leak_sentences(overlaps: Sequence[Overlap]) -> tuple[str, ...]:
    """Warn of each training set that holds test images of another year, with the fix."""
    leaks: dict[str, list[Overlap]] = {}
    for overlap in overlaps:
        if overlap.split == "test" and overlap.listed:
            leaks.setdefault(overlap.training, []).append(overlap)
    sentences = []
    for training, tests in leaks.items():
        seen = " and ".join(
            f"{t.listed} of the {t.total} test images of ISIC {t.year}" for t in tests
        )
        names = [test.list_name for test in tests]
        option = names[0] if len(names) == 1 else f"'[{','.join(names)}]'"
        sentences.append(
            f"A model trained on all of {training} has seen {seen}: a leak if it is tested on "
            f"them. Leave them out of training with --data.exclude {option}"
        )
    return tuple(sentences)


def _shared_table(inspection: Inspection) -> Table:
    sets = inspection.sets
    rows = [(sets[a].name, sets[b].name, f"{len(ids)}") for a, b, ids in inspection.shared]
    return Table(("set", "also in", "images"), tuple(rows))


def _shared_sentences(inspection: Inspection) -> tuple[str, ...]:
    """Warn of each held-out set that has images of a training set."""
    sentences = []
    for first, second, ids in inspection.shared:
        pair = inspection.sets[first], inspection.sets[second]
        training, held = sorted(pair, key=lambda image_set: image_set.split != "train")
        if training.split == "train" and held.split in ("val", "test"):
            sentences.append(
                f"{training.name} holds {len(ids)} of the images of {held.name}, so scores on "
                f"{held.name} are too good. Remove them from one of the two ({shorten(ids)})."
            )
    return tuple(sentences)


def _revisions(inspection: Inspection, shown: int) -> Iterable[Section]:
    if not (inspection.revisions or inspection.shared or any(o.here for o in inspection.overlaps)):
        return  # no id is in two sets
    records, sets = inspection.records, inspection.sets
    pairs = Counter(
        (records[first].set_index, records[second].set_index)
        for first, second, _ in inspection.revisions
    )
    rows = [(sets[a].name, sets[b].name, f"{count}") for (a, b), count in sorted(pairs.items())]
    names = [f"{records[first].id} {iou:.2f}" for first, _, iou in inspection.revisions]
    yield Section(
        "revisions",
        f"Masks that differ between sets: {len(inspection.revisions) or 'none'}",
        "Masks of one id whose intersection over union is below "
        f"{REVISED_BELOW}, binarized at > 128 and resized to 128 x 128.",
        Table(("set", "other set", "masks"), tuple(rows)),
        examples=f"Lowest: {shorten(names, shown)}" if names else "",
    )


_FIXES = {
    "empty": "draw the lesion, or remove the pair",
    "whole image": "look at it, and draw the border of the lesion",
    "inverted": "look at it, and swap lesion and background",
    "shifted": "look at it, and move or redraw it",
}


_WORDS = {"whole image": "lesion all over"}


def _comparison(inspection: Inspection, shown: int) -> Iterable[Section]:
    """Rank the masks by their difference from a model's predictions, and list faults."""
    comparison = inspection.comparison
    if comparison is None:
        return
    records, findings = inspection.records, comparison.findings
    rows = []
    for index, image_set in enumerate(inspection.sets):
        some = [f for f in findings if records[f.record].set_index == index]
        if some:
            kinds = Counter(finding.kind for finding in some)
            low = sum(finding.iou < _LOW_IOU for finding in some)
            middle = f"{median(finding.iou for finding in some):.2f}"
            counts = (f"{kinds[kind]}" for kind in KINDS)
            rows.append((image_set.name, f"{len(some)}", middle, f"{low}", *counts))
    lists = []
    for kind in KINDS:
        said = f"{'seems' if kind in ('inverted', 'shifted') else 'is'} {_WORDS.get(kind, kind)}"
        messages = [
            f"The mask {records[f.record].mask} {said}"
            + (f" ({f.details})" if f.details else "")
            + f"; {_FIXES[kind]}."
            for f in findings
            if f.kind == kind
        ]
        lists += [(kind, tuple(messages))] if messages else []
    names = [f"{records[f.record].id} {f.iou:.2f}" for f in findings]
    yield Section(
        "comparison",
        f"Masks that differ from {comparison.model}",
        "IoU of mask and prediction at 128 x 128. Whole image: at least "
        f"{100 * WHOLE:.0f} % lesion. Inverted: at least {100 * INVERTED_FRAME:.0f} % of the "
        f"outermost pixels are lesion, and the complement has an IoU of {INVERTED} or more, and "
        f"{INVERTED_GAIN} more than the mask. Shifted: moved by {100 * LEAST_SHIFT:.0f} % of a "
        f"side or more, the mask has an IoU of {SHIFTED} or more, and {SHIFTED_GAIN} more.",
        Table(("masks", "compared", "median IoU", f"IoU < {_LOW_IOU}", *KINDS), tuple(rows)),
        _comparison_sentences(comparison),
        f"Lowest IoU: {shorten(names, shown)}" if names and shown else "",
        tuple(lists),
    )


def _comparison_sentences(comparison: ModelComparison) -> tuple[str, ...]:
    """Warn where a prediction may have been learned from the mask itself."""
    sentences = []
    count = len(comparison.findings)
    if comparison.trained:
        sentences.append(
            f"{comparison.model} was trained on {len(comparison.trained)} of these images "
            f"({shorten(comparison.trained)}), and may repeat errors of their masks. Use the "
            "folder of lesionseg cross-validate, whose predictions are of held-out images."
        )
    elif comparison.unknown and count:
        sentences.append(
            f"It is not known which images {comparison.model} was trained on. If these are among "
            "them, it may repeat errors of their masks."
        )
    if comparison.unpredicted:
        sentences.append(
            f"{comparison.unpredicted} of {comparison.unpredicted + count} masks have no "
            f"prediction in {comparison.model} and are not compared."
        )
    return tuple(sentences)


def _copies(inspection: Inspection, shown: int) -> Section:
    sets, records = inspection.sets, inspection.records
    rows = [
        (sets[a].name, "the same set" if a == b else sets[b].name, f"{count}")
        for (a, b), count in inspection.copies.items()
    ]
    names = [
        " = ".join(dict.fromkeys(records[index].id for index in group.members))
        for group in inspection.duplicates
    ]
    return Section(
        "copies",
        f"Copies under another id: {len(inspection.duplicates) or 'none'}",
        f"Images whose perceptual hashes differ in at most {MAX_BITS} of {BITS} bits and whose "
        f"gray {SIDE} x {SIDE} pictures correlate by {MIN_CORRELATION} or more.",
        Table(("set", "copies in", "images"), tuple(rows)),
        _copy_sentences(inspection),
        f"Closest: {shorten(names, shown)}" if names else "",
    )


def _copy_sentences(inspection: Inspection) -> tuple[str, ...]:
    """Warn of each held-out set with copies of training images of its year."""
    sentences = []
    for (held, training), count in inspection.copies.items():
        a, b = inspection.sets[held], inspection.sets[training]
        if a.year == b.year and a.split in ("val", "test") and b.split == "train":
            groups = [
                [inspection.records[index] for index in group.members]
                for group in inspection.duplicates
            ]
            ids = sorted(
                {
                    record.id
                    for group in groups
                    if any(record.set_index == held for record in group)
                    for record in group
                    if record.set_index == training
                }
            )
            sentences.append(
                f"{b.name} holds copies of {count} of the images of {a.name} under another id, so "
                f"scores on {a.name} are too good. To leave the copies out of training, write "
                f"their ids ({shorten(ids, 12)}) to a file for --data.exclude FILE"
            )
    return tuple(sentences)


def _conflicts(inspection: Inspection, shown: int) -> Iterable[Section]:
    ids = [inspection.records[first].id for first, _ in inspection.conflicts]
    if ids:
        yield Section(
            "conflicts",
            f"Different images under one id: {len(ids)}",
            "An id of the ISIC archive whose images in two sets do not look the same.",
            examples=f"Ids: {shorten(ids, shown)}",
        )


def _problems(inspection: Inspection) -> Section:
    messages: dict[str, list[str]] = {}
    for problem in inspection.problems:
        messages.setdefault(problem.kind, []).append(problem.message)
    ranked = sorted(messages.items(), key=lambda item: -len(item[1]))
    return Section(
        "problems",
        f"Problems: {len(inspection.problems) or 'none'}",
        "" if ranked else "Every file can be read.",
        lists=tuple((kind, tuple(found)) for kind, found in ranked),
    )
