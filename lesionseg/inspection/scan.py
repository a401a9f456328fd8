"""Inspect all images and masks under some paths."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lesionseg.data.discovery.image_set import ImageSet as ImageSet
from lesionseg.data.discovery.image_set import Problem as Problem
from lesionseg.data.discovery.scanner import find_sets as find_sets
from lesionseg.inspection.comparison import ModelComparison
from lesionseg.inspection.duplicates import (
    Duplicates,
    count_copies,
    find_conflicts,
    find_duplicates,
)
from lesionseg.inspection.overlaps import (
    Overlap,
    Revision,
    Shared,
    find_overlaps,
    find_revisions,
    find_shared,
)
from lesionseg.inspection.records import ImageRecord, read_records
from lesionseg.inspection.summary import Summary, summarize


@dataclass(frozen=True, eq=False)
class Inspection:
    """Findings of :func:`inspect_data`.

    Attributes:
        paths: Inspected paths.
        sets: Image sets under these paths.
        records: Records of all ids, by set and id.
        summaries: Summary of each set.
        problems: Broken, unpaired and mismatched files, by set and file.
        duplicates: Groups of images that look the same under different ids.
        copies: Number of images of a set that have a copy under another id in a set, by the indices
            of the two sets; (a, a) within a set.
        conflicts: Pairs of records with one id of the ISIC archive but different images.
        overlaps: Ids that training sets share with official splits of other years.
        shared: Ids that splits of one year, or two other folders, share.
        revisions: Ids whose masks differ between sets.
        comparison: Masks compared with a model by :func:`compare_masks`; None if they are not.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.linear_gradient("L").save(Path(folder, "a.png"))
        ...     inspection = inspect_data(folder)
        >>> [record.id for record in inspection.records], inspection.duplicates
        (['a'], ())
    """

    paths: tuple[Path, ...]
    sets: tuple[ImageSet, ...]
    records: tuple[ImageRecord, ...]
    summaries: tuple[Summary, ...]
    problems: tuple[Problem, ...]
    duplicates: tuple[Duplicates, ...]
    copies: dict[tuple[int, int], int]
    conflicts: tuple[tuple[int, int], ...]
    overlaps: tuple[Overlap, ...]
    shared: tuple[Shared, ...]
    revisions: tuple[Revision, ...]
    comparison: ModelComparison | None = None

    @property
    def strangers(self) -> tuple[tuple[int, int], ...]:
        """Deprecated name of ``conflicts``."""
        warnings.warn("strangers is now conflicts", DeprecationWarning, stacklevel=2)
        return self.conflicts


def inspect_data(
    paths: Iterable[str | Path] | str | Path, masks: str | Path | None = None
) -> Inspection:
    """Read all images and masks under some paths and summarize them.

    Every file is decoded once, several at a time; broken files are listed, not raised.

    Args:
        paths: Folders or CSV files; see :func:`find_sets`.
        masks: Folder of masks of the images in a single path.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is another file, or ``masks`` is given for several paths.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.linear_gradient("L").save(Path(folder, "a.png"))
        ...     Image.linear_gradient("L").resize((99, 99)).save(Path(folder, "b.png"))
        ...     Path(folder, "c.png").touch()
        ...     inspection = inspect_data(folder)
        >>> inspection.summaries[0].images, inspection.summaries[0].usable
        (3, 2)
        >>> [problem.kind for problem in inspection.problems]
        ['zero bytes']
        >>> [[inspection.records[i].id for i in group.members] for group in inspection.duplicates]
        [['a', 'b']]
    """
    folders = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    sets = find_sets(folders, masks)
    records, problems = read_records(sets)
    duplicates = find_duplicates(records)
    return Inspection(
        paths=tuple(folders),
        sets=sets,
        records=tuple(records),
        summaries=tuple(
            summarize(image_set, [record for record in records if record.set_index == index])
            for index, image_set in enumerate(sets)
        ),
        problems=tuple(problems),
        duplicates=tuple(duplicates),
        copies=count_copies(records, duplicates),
        conflicts=tuple(find_conflicts(records)),
        overlaps=tuple(find_overlaps(sets)),
        shared=tuple(find_shared(sets)),
        revisions=tuple(find_revisions(records)),
    )
