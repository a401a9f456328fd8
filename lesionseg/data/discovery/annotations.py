"""Find masks by several annotators: by the names of files, or in a table; without torch."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Container, Mapping
from pathlib import Path
from typing import NamedTuple

from lesionseg.data.discovery.names import folders_in, is_image_name, list_files, stem_of
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten

IMAPP_COLUMNS = ("ISIC_id", "seg_filename", "annotator")
"""Columns of IMA++'s table of masks that are read; others are kept."""

_CONSENSUS_NAMES = ("ST", "MV")  # IMA++ lists its own STAPLE and majority masks as annotators
_SEPARATORS = "_-. "


class Annotation(NamedTuple):
    """A mask file and who drew it.

    Attributes:
        annotator: Name of the annotator.
        path: Mask file.
        details: Further columns of the table of masks, such as ``tool`` and ``skill_level``.

    Example:
        >>> Annotation("A04", Path("mole_A04.png"), {"skill_level": "S1"}).annotator
        'A04'
    """

    annotator: str
    path: Path
    details: Mapping[str, str]


def find_annotations(
    folder: Path, ids: Container[str] | None = None
) -> dict[str, list[Annotation]]:
    """Find the masks of images by their names.

    Args:
        folder: Folder with ``<id>/<annotator>.png`` or ``<id>_<annotator>.png``.
        ids: Names of the images; of two that a file name begins with, the longer counts. None
            takes what precedes the last ``_``, ``-``, ``.`` or space, and all folders.

    Returns:
        Masks of each image, sorted by annotator.

    Raises:
        DatasetNotFoundError: If the folder does not exist or holds no masks.
        InvalidDataError: If a mask belongs to none of the images, or names no annotator.

    Example:
        >>> import tempfile
        >>> from lesionseg.data.discovery.annotations import find_annotations
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("mole_ann.png", "mole_bob.png"):
        ...         Path(folder, name).touch()
        ...     [(a.annotator, a.path.name) for a in find_annotations(Path(folder))["mole"]]
        [('ann', 'mole_ann.png'), ('bob', 'mole_bob.png')]
    """
    files = list_files(folder, "masks")
    found: dict[str, list[Annotation]] = defaultdict(list)
    unmatched: list[str] = []
    for path in files:
        stem = stem_of(path)
        owners = [id_ for id_ in _prefixes(stem) if ids is None or id_ in ids]
        owner = owners[-1] if owners else None
        if owner is None:
            unmatched.append(path.name)
        else:
            found[owner].append(Annotation(stem[len(owner) + 1 :], path, {}))
    for below in folders_in(folder):
        inside = [path for path in sorted(below.iterdir()) if is_image_name(path)]
        if ids is None or below.name in ids:
            found[below.name] += [Annotation(stem_of(path), path, {}) for path in inside]
        elif inside:
            unmatched.append(f"{below.name}/")
    if not found and not unmatched:
        raise DatasetNotFoundError(f"the folder {folder} has no masks; check the path.")
    if unmatched:
        raise InvalidDataError(
            f"{len(unmatched)} masks in {folder} belong to none of the images: "
            f"{shorten(unmatched)}; name them <image>_<annotator>.png or <image>/<annotator>.png, "
            "add the images, or remove the masks."
        )
    return {id_: sorted(group, key=lambda a: (a.annotator, a.path)) for id_, group in found.items()}


def _prefixes(stem: str) -> list[str]:
    """Return what may be an id in ``<id>_<annotator>``."""
    ends = [i for i, character in enumerate(stem) if character in _SEPARATORS]
    return [stem[:end] for end in ends if 0 < end < len(stem) - 1]


def read_annotations(table: Path, folder: Path) -> dict[str, list[Annotation]]:
    """Read a table of masks, such as IMA++'s, and find its files.

    Args:
        table: CSV file with the columns of :data:`IMAPP_COLUMNS`.
        folder: Folder of the masks, searched one level deep.

    Returns:
        Masks of each image, in the order of the table, without IMA++'s own consensus masks.

    Raises:
        DatasetNotFoundError: If the table or the folder does not exist.
        InvalidDataError: If columns are missing, a row is incomplete, or a mask does not exist.
    """
    if not folder.is_dir():
        raise DatasetNotFoundError(f"The folder of masks {folder} does not exist; check the path.")
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            rows = list(reader)
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"there is no table {table}; check the path.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataError(f"the table {table} cannot be read ({error}).") from error
    if missing := [name for name in IMAPP_COLUMNS if name not in columns]:
        raise InvalidDataError(
            f"the table {table} has no column {shorten(missing, last='and')}, only "
            f"{shorten(columns, 12) or 'nothing'}; it needs {', '.join(IMAPP_COLUMNS)}, as "
            "IMAplusplus_seg_metadata.csv has."
        )
    files = {
        path.name: path
        for place in (*folders_in(folder), folder)
        for path in place.iterdir()
        if is_image_name(path)
    }
    found: dict[str, list[Annotation]] = defaultdict(list)
    absent: list[str] = []
    for number, row in enumerate(rows, start=2):
        id_, name, annotator = (row[column] for column in IMAPP_COLUMNS)
        if not (id_ and name and annotator):
            raise InvalidDataError(
                f"line {number} of {table} is incomplete; give {', '.join(IMAPP_COLUMNS)}."
            )
        if annotator in _CONSENSUS_NAMES:
            continue
        path = files.get(Path(name).name)
        if path is None:
            absent.append(name)
            continue
        details = {key: str(value) for key, value in row.items() if key not in IMAPP_COLUMNS}
        found[id_].append(Annotation(annotator, path, details))
    if absent:
        raise InvalidDataError(
            f"{len(absent)} masks of {table} are not in {folder}: {shorten(absent)}; extract "
            "segs.zip there, or remove their rows."
        )
    if not found:
        raise InvalidDataError(f"the table {table} lists no mask; check the file.")
    return dict(found)
