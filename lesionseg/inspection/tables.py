"""The rows of the report, the same in the terminal and on the page."""

from __future__ import annotations

from typing import NamedTuple

from lesionseg.errors import shorten
from lesionseg.inspection.scan import Inspection
from lesionseg.inspection.summary import Areas, Summary


class Table(NamedTuple):
    """Text in rows; the first column names the row.

    Attributes:
        title: What it is about.
        header: Of each column.
        rows: Of as many cells each.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, to be aligned at their ends."""
        return any(row[column][:1].isdigit() for row in self.rows)


def count_table(inspection: Inspection) -> Table:
    """Images, masks and what is usable of each set, beside the official number."""
    rows = [
        (
            one.name,
            f"{one.images}",
            f"{one.masks}" if images.masks is not None else "none",
            f"{one.usable}",
            f"{one.official}" if one.official is not None else "",
        )
        for one, images in zip(inspection.summaries, inspection.sets, strict=True)
    ]
    return Table("Files", ("set", "images", "masks", "usable", "official images"), tuple(rows))


def size_table(inspection: Inspection) -> Table:
    """Sizes of the readable images of each set."""
    rows = [
        (
            one.name,
            *(_size(size) for size in one.sizes[:3]),
            f"{one.sizes.distinct}",
            _range(*one.sizes.aspects),
        )
        for one in inspection.summaries
        if one.sizes is not None
    ]
    header = ("width x height", "smallest", "median", "largest", "distinct", "width / height")
    return Table("Image sizes", header, tuple(rows))


def area_table(inspection: Inspection) -> Table:
    """Quartiles of the lesions' share of the image, in per cent, for each set."""
    rows = [
        (one.name, *(f"{100 * share:.1f}" for share in areas.quartiles))
        for one, areas in _with_areas(inspection)
    ]
    header = ("% of the image", "smallest", "25 %", "median", "75 %", "largest")
    return Table("Lesion area", header, tuple(rows))


def mask_table(inspection: Inspection) -> Table:
    """Masks that touch the border, are empty or full, or have grey edges, for each set."""
    rows = [
        (
            one.name,
            f"{100 * areas.touching:.1f} %",
            f"{areas.empty}",
            f"{areas.full}",
            f"{100 * areas.grey_masks:.1f} %",
            f"{100 * areas.grey_pixels:.2f} %",
        )
        for one, areas in _with_areas(inspection)
    ]
    header = ("masks", "touch the border", "empty", "all lesion", "with grey", "grey pixels")
    return Table("Masks", header, tuple(rows))


def rule_sentences(inspection: Inspection) -> list[str]:
    """What was taken for lesion, for each set whose masks are not of 0 and 255."""
    rules = {record.place: record.rule for record in inspection.records if record.lesion}
    return [
        f"The masks of {inspection.sets[place].name} hold {rule}."
        for place, rule in sorted(rules.items())
        if not rule.is_usual
    ]


def overlap_table(inspection: Inspection) -> Table:
    """Ids that training sets share with official splits of other years."""
    rows = [
        (
            one.training,
            f"ISIC {one.year} {one.split}",
            "not here" if one.here is None else f"{one.here}",
            f"{one.listed} of {one.total}",
        )
        for one in inspection.overlaps
    ]
    header = ("trained on", "also in", "among the files", "by the official lists")
    return Table("Ids in common between years", header, tuple(rows))


def shared_table(inspection: Inspection) -> Table:
    """Ids that splits of one year, or folders of one's own, have in common."""
    rows = [
        (inspection.sets[one.first].name, inspection.sets[one.second].name, f"{len(one.ids)}")
        for one in inspection.shared
    ]
    return Table("Ids in common between splits", ("of", "also in", "images"), tuple(rows))


def copy_table(inspection: Inspection) -> Table:
    """Images with a copy under another id, within sets and across them."""
    rows = [
        (
            inspection.sets[first].name,
            "the same set" if first == second else inspection.sets[second].name,
            f"{count}",
        )
        for (first, second), count in inspection.copies.items()
    ]
    return Table("Copies under another id", ("of", "have a copy in", "images"), tuple(rows))


def leaking_copies(inspection: Inspection) -> list[str]:
    """One sentence for each held-out set with copies of its images in what its year trains on."""
    sets, sentences = inspection.sets, []
    for held, training in inspection.copies:
        one, other = sets[held], sets[training]
        if one.year == other.year and one.split in ("val", "test") and other.split == "train":
            ids = sorted(
                {
                    record.id
                    for group in inspection.duplicates
                    if any(inspection.records[index].place == held for index in group.members)
                    for record in (inspection.records[index] for index in group.members)
                    if record.place == training
                }
            )
            sentences.append(
                f"{inspection.copies[held, training]} of {one.name} have a copy under another id "
                f"in {other.name}, which makes scores on {one.name} look too good. To leave the "
                f"copies out of training, write their ids ({shorten(ids, 12)}) in a file for "
                "--data.exclude FILE"
            )
    return sentences


def _with_areas(inspection: Inspection) -> list[tuple[Summary, Areas]]:
    return [(one, one.areas) for one in inspection.summaries if one.areas is not None]


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def _range(low: float, high: float) -> str:
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
