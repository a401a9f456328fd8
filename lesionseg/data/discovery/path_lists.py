"""Lists of image and mask paths in CSV and text files; without torch."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from lesionseg.data.discovery.folder_names import SPLITS
from lesionseg.data.discovery.image_set import ImageSet, Problem, by_id
from lesionseg.data.discovery.listing import stem_of
from lesionseg.errors import InvalidDataError

_COLUMNS = {
    "image": ("image", "images", "img", "image_path", "image_file", "path", "file", "filename"),
    "mask": (
        "mask",
        "masks",
        "mask_path",
        "mask_file",
        "label",
        "segmentation",
        "seg",
        "gt",
        "ground_truth",
        "truth",
    ),
    "split": ("split", "set", "subset", "partition", "phase"),
    "id": ("id", "image_id"),
}


def is_table(path: Path) -> bool:
    """Return whether a path is that of a CSV or TSV file."""
    return path.suffix.lower() in (".csv", ".tsv") and path.is_file()


def is_list(path: Path) -> bool:
    """Return whether a path is that of a CSV, TSV or text file."""
    return is_table(path) or (path.suffix.lower() == ".txt" and path.is_file())


def read_table(path: Path) -> list[ImageSet]:
    """Read a CSV file of image and mask paths.

    The header names the columns, in small or capital letters: ``image``, and where they are there
    ``mask``, ``split`` (``train``, ``val`` or ``test``) and ``id``; the image's file stem is its id
    where there is no such column. Paths are relative to the file's folder. Commas, semicolons and
    tabs may separate the columns, and a byte-order mark, as Excel writes it, is no part of them.

    Args:
        path: CSV or TSV file, in UTF-8.

    Returns:
        A set for each split, in the file's order; one of no split where there is no such column.

    Raises:
        InvalidDataError: If the file is no such table, or a row lacks its image or split.
    """
    rows = _read_rows(path)
    header = [name.strip().lower().replace(" ", "_") for name in rows[0]] if rows else []
    columns = {
        what: next((header.index(name) for name in names if name in header), None)
        for what, names in _COLUMNS.items()
    }
    if columns["image"] is None:
        raise InvalidDataError(
            f"The table {path} has no column named image, only {', '.join(header) or 'nothing'}; "
            "its first line must name the columns image, mask and, if need be, split."
        )
    images: dict[str | None, list[tuple[str, Path]]] = {}
    masks: dict[str | None, list[tuple[str, Path]]] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = {
            what: row[index].strip() if index is not None and index < len(row) else ""
            for what, index in columns.items()
        }
        if not any(cells.values()):
            continue
        if not cells["image"]:
            raise InvalidDataError(f"Line {number} of {path} names no image; add its path.")
        split = None
        if columns["split"] is not None:
            split = SPLITS.get(cells["split"].lower())
            if split is None:
                raise InvalidDataError(
                    f"Line {number} of {path} has the split {cells['split']!r}; expected train, "
                    "val or test."
                )
        image = path.parent / Path(cells["image"]).expanduser()
        id_ = cells["id"] or stem_of(image)
        images.setdefault(split, []).append((id_, image))
        if cells["mask"]:
            mask = path.parent / Path(cells["mask"]).expanduser()
            masks.setdefault(split, []).append((id_, mask))
    sets = []
    for split, listed in images.items():
        problems: list[Problem] = []
        found = by_id(listed, problems)
        truth = by_id(masks.get(split, []), problems, masks=True)
        name = f"{path.name} {split}" if split else path.name
        sets.append(
            ImageSet(
                name,
                found,
                None if columns["mask"] is None else truth,
                None,
                split,
                tuple(problems),
            )
        )
    return sets


def read_path_list(path: Path, what: str) -> list[Path]:
    """Read a text file of paths, one a line, relative to its folder; or a column of a CSV file.

    Args:
        path: Of the file.
        what: ``images`` or ``masks``.

    Raises:
        InvalidDataError: If it is no text.
    """
    if is_table(path):
        sets = read_table(path)
        return [
            file
            for one in sets
            for file in ((one.images if what == "images" else one.masks) or {}).values()
        ]
    lines = (line.strip() for line in _read_text(path).splitlines())
    return [path.parent / Path(line).expanduser() for line in lines if line]


def _read_rows(path: Path) -> list[list[str]]:
    text = _read_text(path)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InvalidDataError(
            f"The table {path} cannot be read ({error}); save it as CSV again."
        ) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            f"{path} is not text in UTF-8 ({error.reason}); save it as CSV UTF-8."
        ) from error
    except OSError as error:
        raise InvalidDataError(
            f"{path} cannot be read ({error.strerror}); check its permissions."
        ) from error
