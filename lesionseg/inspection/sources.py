"""What lies under a path: official ISIC splits, PH2, and folders of one's own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from lesionseg.data.archives import ARCHIVES, IMAGE_NAME, MASK_NAME
from lesionseg.data.id_lists import official_ids
from lesionseg.data.listing import list_files, stem_of, strip_ending
from lesionseg.errors import DatasetNotFoundError, LesionsegError

#: How many folders deep is searched below a path.
DEPTH = 2
_PH2 = "PH2 Dataset images"
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


class Problem(NamedTuple):
    """Something amiss with one file.

    Attributes:
        kind: A few words, the same for all problems of a kind, such as ``"no mask"``.
        path: Of the file.
        message: One sentence that names it and says how to mend it.
    """

    kind: str
    path: Path
    message: str


@dataclass(frozen=True)
class ImageSet:
    """Images that belong together, with their masks: an official split, PH2 or a folder.

    Attributes:
        name: For people, such as ``ISIC 2018 train``; all sets of an inspection differ in it.
        images: Image files by id.
        masks: Mask files by id; None where there are none at all.
        year: Of an official ISIC challenge, else None.
        split: ``train``, ``val`` or ``test``, of a challenge or by the folder's name, else None.
        problems: What was amiss when the files were listed.
    """

    name: str
    images: dict[str, Path]
    masks: dict[str, Path] | None
    year: int | None = None
    split: str | None = None
    problems: tuple[Problem, ...] = field(default=(), repr=False)

    @property
    def ids(self) -> list[str]:
        """Ids of all images and masks, sorted."""
        return sorted({*self.images, *(self.masks or ())})

    @property
    def official_count(self) -> int | None:
        """Number of images in the official list; None if the set is no official split."""
        return None if self.year is None else len(official_ids(self.year, self.split))


def find_sets(paths: Iterable[str | Path], masks: str | Path | None = None) -> tuple[ImageSet, ...]:
    """Find the image sets under some paths.

    A path may be a folder that official ISIC zips were unpacked in, one of PH2, a folder with
    ``images`` and ``masks`` in it (or ``images/train``, ``masks/train`` and so on), one that holds
    images directly, with masks beside them (``_segmentation``, ``_mask`` or ``_lesion`` behind the
    image's name) or without; or a folder that holds any of these, at most two levels deep.

    Nothing is opened: broken files are listed like others.

    Args:
        paths: Folders.
        masks: A folder of masks for the images that lie in the one path.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is a file, or ``masks`` is given for several paths.
    """
    folders = [Path(path) for path in paths]
    if masks is not None and len(folders) != 1:
        raise LesionsegError(
            f"--masks names the masks of one folder of images, not of {len(folders)}; put images "
            "and masks into folders of these names, or inspect them one by one."
        )
    for folder in [*folders, *([Path(masks)] if masks is not None else [])]:
        if not folder.exists():
            raise DatasetNotFoundError(f"There is no folder {folder}; check the path.")
        if not folder.is_dir():
            raise LesionsegError(f"{folder} is a file; give the folder that holds it.")
    found: list[ImageSet] = []
    closed: list[Problem] = []
    for folder in folders:
        if masks is not None:
            sets = [_folder(_label(folder, folder), folder, Path(masks))]
        else:
            sets = list(_search(folder, folder, DEPTH, closed))
        if not any(one.images or one.masks for one in sets):
            if closed and closed[-1].path == folder:
                raise DatasetNotFoundError(closed[-1].message)
            raise DatasetNotFoundError(
                f"There are no images in {folder}, nor {DEPTH} folders deep below it; give a "
                "folder that holds the official ISIC folders, PH2, or images of your own."
            )
        found += [one for one in sets if one.images or one.masks]
    sets = _once(found)
    if closed:  # problems belong to sets
        sets[0] = replace(sets[0], problems=(*closed, *sets[0].problems))
    return _named_apart(sets)


def _search(folder: Path, top: Path, depth: int, closed: list[Problem]) -> Iterator[ImageSet]:
    """The sets in a folder and below; what belongs to a set is not searched again.

    Folders that may not be read are noted in ``closed``.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        message = f"The folder {folder} may not be read by you; change its permissions."
        closed.append(Problem("unreadable folder", folder, message))
        return
    used: set[Path] = set()
    for year, splits in ARCHIVES.items():
        for split, official in splits.items():
            images, masks = (folder / archive.folder for archive in official)
            if images.is_dir() or masks.is_dir():
                used |= {images, masks}
                places = [archive.home(folder) for archive in official]
                yield _official(year, split, *places)
    if folder.name == _PH2:
        yield _ph2(folder)
        return
    children = _folders(folder)
    named = {child.name.lower(): child for child in children}
    if (images_folder := named.get("images")) is not None:
        masks_folder = named.get("masks")
        used |= {images_folder, *([masks_folder] if masks_folder else [])}
        yield from _images_and_masks(_label(folder, top), images_folder, masks_folder)
    if files := list_files(folder, "images"):
        marked = any(strip_ending(path.stem) != path.stem for path in files)
        yield _folder(_label(folder, top), folder, folder if marked else None)
    if depth:
        for child in children:
            if child not in used:
                yield from _search(child, top, depth - 1, closed)


def _official(year: int, split: str, images: Path, masks: Path) -> ImageSet:
    problems: list[Problem] = []
    found = [
        _by_id(((match[1].upper(), path) for path, match in _matches(folder, name)), problems)
        for folder, name in ((images, IMAGE_NAME), (masks, MASK_NAME))
    ]
    truth = found[1] if masks.is_dir() else None
    return ImageSet(f"ISIC {year} {split}", found[0], truth, year, split, tuple(problems))


def _matches(folder: Path, name: re.Pattern[str]) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if match := name.fullmatch(path.name):
            yield path, match


def _ph2(folder: Path) -> ImageSet:
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for case in _folders(folder):
        if not re.fullmatch(r"IMD\d+", case.name):
            continue
        image = case / f"{case.name}_Dermoscopic_Image" / f"{case.name}.bmp"
        mask = case / f"{case.name}_lesion" / f"{case.name}_lesion.bmp"
        images |= {case.name: image} if image.is_file() else {}
        masks |= {case.name: mask} if mask.is_file() else {}
    return ImageSet("PH2", images, masks)


def _images_and_masks(name: str, images: Path, masks: Path | None) -> Iterator[ImageSet]:
    """``images`` and ``masks``, and folders of the same name in both."""
    if list_files(images, "images"):
        yield _folder(name, images, masks)
    for part in _folders(images):
        if list_files(part, "images"):
            truth = masks / part.name if masks is not None else None
            yield _folder(f"{name} {part.name}", part, truth if truth and truth.is_dir() else None)


def _folder(name: str, images: Path, masks: Path | None) -> ImageSet:
    """Images in one folder and masks in another or in the same, paired by file stem."""
    problems: list[Problem] = []
    split = _SPLITS.get(re.split("[/ ]", name.lower())[-1])
    paths = list_files(images, "images")
    together = masks is not None and masks.resolve() == images.resolve()
    if together:
        paths = [path for path in paths if strip_ending(path.stem) == path.stem]
    by_stem = _by_id(((stem_of(path), path) for path in paths), problems)
    if masks is None:
        return ImageSet(name, by_stem, None, None, split, tuple(problems))
    of_images = set(paths) if together else set()
    truth = _by_id(
        (
            (stem_of(path) if stem_of(path) in by_stem else strip_ending(stem_of(path)), path)
            for path in list_files(masks, "masks")
            if path not in of_images
        ),
        problems,
    )
    return ImageSet(name, by_stem, truth, None, split, tuple(problems))


def _by_id(files: Iterable[tuple[str, Path]], problems: list[Problem]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for id_, path in files:
        if found.setdefault(id_, path) != path:
            message = f"{found[id_]} and {path.name} have the same id {id_}; remove one."
            problems.append(Problem("same id twice", path, message))
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _label(folder: Path, top: Path) -> str:
    return top.resolve().name if folder == top else folder.relative_to(top).as_posix()


def _once(sets: Sequence[ImageSet]) -> list[ImageSet]:
    """The sets without those that a path that lies in another one gives again."""
    seen: set[tuple[Path, ...]] = set()
    kept = []
    for one in sets:
        key = tuple(sorted(path.resolve() for path in {**(one.masks or {}), **one.images}.values()))
        if key not in seen:
            seen.add(key)
            kept.append(one)
    return kept


def _named_apart(sets: Sequence[ImageSet]) -> tuple[ImageSet, ...]:
    """The sets with numbers behind names that several of them have."""
    names = [one.name for one in sets]
    return tuple(
        one
        if names.count(one.name) == 1
        else replace(one, name=f"{one.name} #{names[:place].count(one.name) + 1}")
        for place, one in enumerate(sets)
    )
