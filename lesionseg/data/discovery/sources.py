"""List what a user names: folders, files, patterns and lists of paths; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

from lesionseg.data.discovery.folder_names import role_of, split_of
from lesionseg.data.discovery.image_set import (
    ImageSet,
    merge_sets,
    pair_files,
    tell_apart,
)
from lesionseg.data.discovery.listing import folders_in, is_image_name, list_files
from lesionseg.data.discovery.path_lists import is_list, is_table, read_path_list, read_table
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten

Sources: TypeAlias = Sequence[str | Path] | str | Path
"""Folders, files, patterns with ``*``, ``?`` or ``**``, and text files of paths; one or several."""

DEPTH = 2
"""How many folders deep is searched below a path."""


def scan_pairs(images: Sources, masks: Sources) -> ImageSet:
    """List images and masks of some sources, and pair them by their stems.

    Args:
        images: Where the images are.
        masks: Where the masks are; may be the images' folder. Where the images are not whole
            folders, masks of others are no error.

    Returns:
        The set, named by its images. Files that are named one by one need not exist.

    Raises:
        DatasetNotFoundError: If a folder does not exist, or a pattern fits nothing.
        InvalidDataError: If a folder holds nothing but folders of several splits.
    """
    image_sources, mask_sources = as_list(images), as_list(masks)
    mask_folders = {path.resolve() for path in mask_sources if path.is_dir()}
    paths = _list(image_sources, "images", mask_folders)
    together = {path.resolve() for path in image_sources} & mask_folders
    if together:
        paths = tell_apart(paths, marked_only=True)[0]
    of_images = {path.resolve() for path in paths}
    truth = [
        path
        for path in _list(mask_sources, "masks", {path.resolve() for path in image_sources})
        if path.resolve() not in of_images
    ]
    one = pair_files(names_of(image_sources), paths, truth)
    if all(path.is_dir() for path in image_sources):
        return one
    return replace(one, is_selection=True)


def scan_images(images: Sources) -> ImageSet:
    """List the images of some sources, without the masks that lie beside them.

    Raises:
        DatasetNotFoundError: If a folder does not exist, or a pattern fits nothing.
        InvalidDataError: If a folder holds nothing but folders of several splits.
    """
    sources = as_list(images)
    if len(sources) == 1 and is_table(sources[0]):
        one = merge_sets(str(sources[0]), read_table(sources[0]))
        return replace(one, masks=None)
    paths = _list(sources, "images", set())
    if all(path.is_dir() for path in sources):
        paths = tell_apart(paths)[0]
    return pair_files(names_of(sources), paths, None)


def as_list(sources: Sources) -> list[Path]:
    """Return sources as a list of paths."""
    several = [sources] if isinstance(sources, str | Path) else sources
    return [Path(path).expanduser() for path in several]


def names_of(sources: Sequence[Path]) -> str:
    """Return sources for messages."""
    return shorten(map(str, sources), last="and")


def _list(sources: Sequence[Path], what: Literal["images", "masks"], skip: set[Path]) -> list[Path]:
    """The files of some sources."""
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
            list_files(source, what)  # says that there is no such folder
        else:
            found.append(source)
    return found


def _files_below(
    folder: Path, what: Literal["images", "masks"], skip: set[Path], depth: int = DEPTH
) -> list[Path]:
    """The files of a folder; where it has none, those of the folders in it."""
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
