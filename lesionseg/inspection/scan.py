"""Everything about the images under some paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lesionseg.data.discovery.image_set import ImageSet as ImageSet
from lesionseg.data.discovery.image_set import Problem as Problem
from lesionseg.data.discovery.scanner import find_sets as find_sets
from lesionseg.inspection.duplicates import (
    Duplicates,
    count_copies,
    find_duplicates,
    find_strangers,
)
from lesionseg.inspection.overlaps import (
    Overlap,
    Revision,
    Shared,
    find_overlaps,
    find_revisions,
    find_shared,
)
from lesionseg.inspection.records import Record, read_records
from lesionseg.inspection.summary import Summary, summarise


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found.

    Attributes:
        paths: Where it was looked.
        sets: The image sets there.
        records: Of all ids, by set and id.
        summaries: Of each set.
        problems: Broken, lone and mismatched files, by set and file.
        duplicates: Groups of images that look the same under different ids.
        copies: For places of two sets, how many images of the first have a copy of other id in
            the second; (a, a) within a set.
        strangers: Pairs of records of one id of the ISIC archive that look different.
        overlaps: Ids that training sets share with official splits of other years.
        shared: Ids that splits of one year, or folders of one's own, have in common.
        revisions: Ids whose masks differ between sets.
    """

    paths: tuple[Path, ...]
    sets: tuple[ImageSet, ...]
    records: tuple[Record, ...]
    summaries: tuple[Summary, ...]
    problems: tuple[Problem, ...]
    duplicates: tuple[Duplicates, ...]
    copies: dict[tuple[int, int], int]
    strangers: tuple[tuple[int, int], ...]
    overlaps: tuple[Overlap, ...]
    shared: tuple[Shared, ...]
    revisions: tuple[Revision, ...]


def inspect_data(
    paths: Iterable[str | Path] | str | Path, masks: str | Path | None = None
) -> Inspection:
    """Read all images and masks under some paths and tell what is in them.

    Every file is decoded once, several at a time; broken ones are listed, not raised.

    Args:
        paths: Folders; see :func:`find_sets`.
        masks: A folder of masks for the images that lie in the one path.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is a file, or ``masks`` is given for several paths.
    """
    folders = [Path(one) for one in ([paths] if isinstance(paths, str | Path) else paths)]
    sets = find_sets(folders, masks)
    records, problems = read_records(sets)
    duplicates = find_duplicates(records)
    return Inspection(
        paths=tuple(folders),
        sets=sets,
        records=tuple(records),
        summaries=tuple(
            summarise(one, [record for record in records if record.place == place])
            for place, one in enumerate(sets)
        ),
        problems=tuple(problems),
        duplicates=tuple(duplicates),
        copies=count_copies(records, duplicates),
        strangers=tuple(find_strangers(records)),
        overlaps=tuple(find_overlaps(sets)),
        shared=tuple(find_shared(sets)),
        revisions=tuple(find_revisions(records)),
    )
