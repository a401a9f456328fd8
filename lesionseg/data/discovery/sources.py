"""List what a user gives: folders, files, patterns, lists of paths, and tables; without torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

from lesionseg.data.discovery.image_set import (
    ImageSet,
    Problem,
    by_id,
    merge_sets,
    pair_files,
    separate_masks,
)
from lesionseg.data.discovery.names import (
    SPLITS,
    folders_in,
    is_image_name,
    list_files,
    role_of,
    split_of,
    stem_of,
)
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten

Sources: TypeAlias = Sequence[str | Path] | str | Path
"""Folders, files, patterns with ``*``, ``?`` or ``**``, and lists of paths; one or several."""

DEPTH = 2
"""Levels of folders that are searched below a path."""


def scan_pairs(images: Sources, masks: Sources) -> ImageSet:
    """List images and masks, and pair them by their stems.

    Args:
        images: Sources of the images.
        masks: Sources of the masks; may be the images' folder. Unless the images are whole folders,
            masks without an image are allowed.

    Returns:
        The set, named after its images. Files that are listed individually need not exist.

    Raises:
        DatasetNotFoundError: If a folder does not exist, or a pattern matches nothing.
        InvalidDataError: If a folder holds only folders of several splits.

    Example:
        >>> found = scan_pairs(["x/a.jpg", "x/b.jpg"], ["y/a_seg.png", "y/c_seg.png"])
        >>> [path.name for path in found.without_mask], found.name
        (['b.jpg'], 'x/a.jpg and x/b.jpg')
    """
    image_sources, mask_sources = as_list(images), as_list(masks)
    mask_folders = {path.resolve() for path in mask_sources if path.is_dir()}
    paths = _list(image_sources, "images", mask_folders)
    together = {path.resolve() for path in image_sources} & mask_folders
    if together:
        paths = separate_masks(paths, marked_only=True)[0]
    of_images = {path.resolve() for path in paths}
    truth = [
        path
        for path in _list(mask_sources, "masks", {path.resolve() for path in image_sources})
        if path.resolve() not in of_images
    ]
    found = pair_files(names_of(image_sources), paths, truth)
    return replace(found, is_selection=not all(path.is_dir() for path in image_sources))


def scan_images(images: Sources) -> ImageSet:
    """List images, without the masks in the same folders.

    Raises:
        DatasetNotFoundError: If a folder does not exist, or a pattern matches nothing.
        InvalidDataError: If a folder holds only folders of several splits.
    """
    sources = as_list(images)
    if len(sources) == 1 and is_table(sources[0]):
        return replace(merge_sets(str(sources[0]), read_table(sources[0])), masks=None)
    paths = _list(sources, "images", set())
    if all(path.is_dir() for path in sources):
        paths = separate_masks(paths)[0]
    return pair_files(names_of(sources), paths, None)


def as_list(sources: Sources) -> list[Path]:
    """Return sources as a list of paths."""
    several = [sources] if isinstance(sources, str | Path) else sources
    return [Path(path).expanduser() for path in several]


def names_of(sources: Sequence[Path]) -> str:
    """Join sources for messages."""
    return shorten(map(str, sources), last="and")


def _list(sources: Sequence[Path], what: Literal["images", "masks"], skip: set[Path]) -> list[Path]:
    """List the files of some sources."""
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            found += _files_below(source, what, skip - {source.resolve()})
        elif is_list(source):
            found += read_path_list(source, what)
        elif has_magic(str(source)) and not source.exists():
            found_names = sorted(glob(str(source), recursive=True))  # noqa: PTH207 - any root
            matches = [Path(name) for name in found_names]
            files = [path for path in matches if path.is_file() and is_image_name(path)]
            files += chain.from_iterable(
                list_files(path, what) for path in matches if path.is_dir()
            )
            if not files:
                raise DatasetNotFoundError(f"No {what} match {source}; check the pattern.")
            found += files
        elif len(sources) == 1 and not source.is_file():
            list_files(source, what)  # raises: there is no such folder
        else:
            found.append(source)
    return found


def _files_below(
    folder: Path, what: Literal["images", "masks"], skip: set[Path], depth: int = DEPTH
) -> list[Path]:
    """List the files of a folder or, if it has none, of the folders in it."""
    files = list_files(folder, what)
    if files or not depth:
        return files
    children = [path for path in folders_in(folder) if path.resolve() not in skip]
    other = "masks" if what == "images" else "images"
    children = [path for path in children if role_of(path.name) != other] or children
    files_of = {path: _files_below(path, what, skip, depth - 1) for path in children}
    splits = {split_of(path.name) for path, files in files_of.items() if files} - {None}
    if len(splits) > 1:
        raise InvalidDataError(
            f"The folder {folder} holds folders of several splits "
            f"({', '.join(sorted(filter(None, splits)))}); give those of one split."
        )
    return list(chain.from_iterable(files_of.values()))


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
    """Return whether a path is a CSV or TSV file."""
    return path.suffix.lower() in (".csv", ".tsv") and path.is_file()


def is_list(path: Path) -> bool:
    """Return whether a path is a CSV, TSV or text file."""
    return is_table(path) or (path.suffix.lower() == ".txt" and path.is_file())


def read_table(path: Path) -> list[ImageSet]:
    r"""Read a CSV file of image and mask paths.

    The header names the columns, in any case: ``image`` and optionally ``mask``, ``split``
    (``train``, ``val`` or ``test``) and ``id``, by default the image's file stem. Paths are
    relative to the file's folder. Commas, semicolons or tabs separate the columns, and a byte-order
    mark, as Excel writes it, is ignored.

    Args:
        path: CSV or TSV file in UTF-8.

    Returns:
        A set for each split, in the file's order; without a split column, one set of no split.

    Raises:
        InvalidDataError: If the file is not such a table, or a row lacks its image or split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Path(folder, "pairs.csv")
        ...     _ = table.write_text("image,mask,split\na.jpg,a.png,train\nb.jpg,b.png,val\n")
        ...     [(found.name, found.ids) for found in read_table(table)]
        [('pairs.csv train', ['a']), ('pairs.csv val', ['b'])]
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
    """Read paths, relative to the file's folder: one per line of a text file, or a CSV column.

    Args:
        path: List of paths.
        what: ``images`` or ``masks``.

    Raises:
        InvalidDataError: If it is not text.
    """
    if is_table(path):
        sets = read_table(path)
        return [
            file
            for image_set in sets
            for file in ((image_set.images if what == "images" else image_set.masks) or {}).values()
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
