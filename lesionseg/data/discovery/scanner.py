"""Find images and their masks: official ISIC splits, PH2, and folders, files and lists of any user.

Data sets and inspection both scan through this module, so that what is inspected is what is trained
on. No image is opened here: broken files are listed like others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from lesionseg.data.archives import ARCHIVES, IMAGE_NAME, MASK_NAME, official_archives
from lesionseg.data.discovery.image_set import (
    ImageSet,
    Problem,
    by_id,
    merge_sets,
    pair_files,
    pair_in_folder,
    pair_side_by_side,
    without_lone_masks,
)
from lesionseg.data.discovery.names import (
    PH2_FOLDER,
    SPLITS,
    folders_in,
    key_of,
    list_files,
    other_files,
    role_of,
    split_of,
    split_of_words,
)
from lesionseg.data.discovery.sources import (
    DEPTH,
    Sources,
    as_list,
    is_table,
    names_of,
    read_table,
    scan_pairs,
)
from lesionseg.errors import DatasetNotFoundError, LesionsegError


def scan_isic(root: Path, year: int, split: str, masks: bool = True) -> ImageSet:
    """List an official ISIC split by the ids in its files' names; other files are ignored.

    Args:
        root: Folder that holds the official folders; either may be absent.
        year: 2016, 2017 or 2018.
        split: ``train``, ``val`` or ``test``.
        masks: Whether to list the ground truth.

    Raises:
        ValueError: If there is no such year or split.
    """
    problems: list[Problem] = []
    official = official_archives(year, split)
    listed = []
    for archive, pattern in ((official.images, IMAGE_NAME), (official.masks, MASK_NAME)):
        listed.append(by_id(isic_files(archive.home(root), pattern), problems))
    truth = listed[1] if masks and official.masks.home(root).is_dir() else None
    return ImageSet(f"ISIC {year} {split}", listed[0], truth, year, split, tuple(problems))


def isic_files(folder: Path, name: re.Pattern[str]) -> list[tuple[str, Path]]:
    """Return the ISIC ids and paths of a folder's files, sorted by path.

    Args:
        folder: need not be there.
        name: :data:`IMAGE_NAME` or :data:`MASK_NAME`.
    """
    if not folder.is_dir():
        return []
    return [
        (match[1].upper(), path)
        for path in sorted(folder.iterdir())
        if (match := name.fullmatch(path.name))
    ]


def ids_in(folder: Path, name: re.Pattern[str]) -> set[str]:
    """Return the ISIC ids of a folder's files; empty files, as a full disk leaves them, are none.

    Args:
        folder: need not be there.
        name: :data:`IMAGE_NAME` or :data:`MASK_NAME`.
    """
    return {id_ for id_, path in isic_files(folder, name) if path.is_file() and path.stat().st_size}


def scan_ph2(folder: Path) -> ImageSet:
    """List PH2's cases.

    Args:
        folder: ``PH2 Dataset images``.
    """
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for case in folders_in(folder):
        if not re.fullmatch(r"IMD\d+", case.name):
            continue
        image = case / f"{case.name}_Dermoscopic_Image" / f"{case.name}.bmp"
        mask = case / f"{case.name}_lesion" / f"{case.name}_lesion.bmp"
        images |= {case.name: image} if image.is_file() else {}
        masks |= {case.name: mask} if mask.is_file() else {}
    return ImageSet("PH2", images, masks)


def ph2_folder(root: Path) -> Path | None:
    """Return ``PH2 Dataset images`` in ``root``, in its ``PH2Dataset``, or as ``root`` itself."""
    for folder in (root / PH2_FOLDER, root / "PH2Dataset" / PH2_FOLDER, root):
        if folder.is_dir() and folder.name == PH2_FOLDER:
            return folder
    return None


def find_sets(paths: Iterable[str | Path], masks: Sources | None = None) -> tuple[ImageSet, ...]:
    """Find the image sets under some paths.

    A path may be a folder that official ISIC zips were unpacked in; one of PH2; folders of images
    and of masks side by side that are named so (``images`` and ``masks``, with ``train`` and so on
    in both or around them; nnU-Net's ``imagesTr`` and ``labelsTr``; HAM10000's two folders of
    images and one of segmentations); a folder that holds images directly, with their masks beside
    them or without; a folder that holds any of these, at most two levels deep; or a CSV file of
    image and mask paths (:func:`~lesionseg.data.discovery.sources.read_table`).

    No image is opened: broken files are listed like others.

    Args:
        paths: Folders or CSV files.
        masks: Masks of the images in the one path, paired as :func:`scan_pairs` does.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is another file, or ``masks`` is given for several paths.
    """
    folders = [Path(path).expanduser() for path in paths]
    if masks is not None and len(folders) != 1:
        raise LesionsegError(
            f"--masks names the masks of one folder of images, not of {len(folders)}; put images "
            "and masks into folders of these names, or inspect them one by one."
        )
    for folder in folders:
        if not folder.exists():
            raise DatasetNotFoundError(f"There is no folder {folder}; check the path.")
        if not folder.is_dir() and not is_table(folder):
            raise LesionsegError(f"{folder} is a file; give the folder that holds it.")
    found: list[ImageSet] = []
    closed: list[Problem] = []
    for folder in folders:
        if masks is not None:
            sets = [replace(scan_pairs(folder, masks), name=_label(folder, folder))]
        elif not folder.is_dir():
            sets = read_table(folder)
        else:
            sets = list(_search(folder, folder, DEPTH, closed))
        if not any(one.images or one.masks for one in sets):
            if closed and closed[-1].path == folder:
                raise DatasetNotFoundError(closed[-1].message)
            raise DatasetNotFoundError(
                f"There are no images in {folder}, nor {DEPTH} folders deep below it, only "
                f"{other_files(folder) if folder.is_dir() else 'an empty table'}; give a folder "
                "that holds the official ISIC folders, PH2, or images of your own."
            )
        found += [one for one in sets if one.images or one.masks]
    sets = _once(found)
    if closed:  # problems belong to sets
        sets[0] = replace(sets[0], problems=(*dict.fromkeys(closed), *sets[0].problems))
    return _named_apart(sets)


def find_split(
    paths: Sources, split: Literal["train", "val", "test"], strict: bool = False
) -> ImageSet | None:
    """Find the images of one split under some paths, wherever :func:`find_sets` finds sets.

    Args:
        paths: Folders or CSV files.
        split: Which.
        strict: Whether sets of no or another split are left out, but for training, which takes sets
            of no split. Else, where no set is of this split, those of no split are taken, or all.

    Returns:
        The sets of this split together; None if there is none.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is a file but no CSV.
    """
    sources = as_list(paths)
    sets = find_sets(sources)
    chosen = [one for one in sets if one.split == split]
    if not chosen and (split == "train" or not strict):
        chosen = [one for one in sets if one.split is None]
    if not chosen and not strict:
        chosen = list(sets)
    return merge_sets(names_of(sources), chosen, split) if chosen else None


def _search(folder: Path, top: Path, depth: int, closed: list[Problem]) -> Iterator[ImageSet]:
    """The sets in a folder and below; what belongs to a set is not searched again.

    Folders that may not be read are noted in ``closed``.
    """
    if not _is_open(folder, closed):
        return
    used: set[Path] = set()
    for year, splits in ARCHIVES.items():
        for split, official in splits.items():
            places = {folder / archive.folder for archive in official}
            if any(place.is_dir() for place in places):
                used |= places
                yield scan_isic(folder, year, split)
    if folder.name == PH2_FOLDER:
        yield scan_ph2(folder)
        return
    label = _label(folder, top)
    children = [child for child in folders_in(folder) if child not in used]
    images, masks = (
        [leaf for child in children if _holds(child, role) for leaf in _leaves(child, closed)]
        for role in ("images", "masks")
    )
    files = list_files(folder, "images")
    if images:
        found = _side_by_side(label, _split_at(folder, top), images, masks)
    elif files and masks:
        found = [([], masks, pair_files(label, files, _files_of(masks), _split_at(folder, top)))]
        found = found if _belong(found[0][2]) else []
    else:
        found = []
    for some_images, some_masks, one in found:
        used |= {leaf.child for leaf in (*some_images, *some_masks)}
        yield one
    if files and (images or not found):  # else they have been paired
        yield pair_in_folder(label, folder, _split_at(folder, top))
    if depth:
        for child in children:
            if child not in used:
                yield from _search(child, top, depth - 1, closed)


class _Leaf(NamedTuple):
    """A folder that holds files.

    Attributes:
        child: Itself or the folder that it is in, beside other folders of images and masks.
        folder: Itself.
        key: The words of its name that do not say whether it holds images or masks.
    """

    child: Path
    folder: Path
    key: tuple[str, ...]


def _side_by_side(
    label: str, split_here: str | None, images: Sequence[_Leaf], masks: Sequence[_Leaf]
) -> list[tuple[list[_Leaf], list[_Leaf], ImageSet]]:
    """Pair folders of images with the folders of masks that are named alike, or by their split.

    Folders of masks of no split belong to all images that have no others.
    """
    alike = sorted({leaf.key for leaf in images} & {leaf.key for leaf in masks})
    groups = [
        (
            key,
            [leaf for leaf in images if leaf.key == key],
            [leaf for leaf in masks if leaf.key == key],
        )
        for key in alike
    ]
    rest = [leaf for leaf in images if leaf.key not in alike]
    rest_masks = [leaf for leaf in masks if leaf.key not in alike]
    for split in dict.fromkeys(split_of_words(leaf.key) for leaf in rest):
        of_split = [leaf for leaf in rest if split_of_words(leaf.key) == split]
        truth = [leaf for leaf in rest_masks if split_of_words(leaf.key) == split]
        truth = truth or [leaf for leaf in rest_masks if split_of_words(leaf.key) is None]
        key = of_split[0].key if len(of_split) == 1 else (split,) if split else ()
        groups.append((key, of_split, truth))
    found = []
    for key, some_images, some_masks in groups:
        name = " ".join((label, *key))
        split = split_of_words(key) or split_here
        one = pair_files(name, _files_of(some_images), _files_of(some_masks), split)
        if key not in alike and not _belong(one):
            some_masks = []
        if not some_masks:
            one = pair_side_by_side(name, _files_of(some_images), split)
        elif sum(some_masks[0] in truth for _, _, truth in groups) > 1:
            one = without_lone_masks(one)
        found.append((some_images, some_masks, one))
    return found


def _belong(one: ImageSet) -> bool:
    """Whether any mask belongs to an image: folders' names may mislead."""
    return not one.images.keys().isdisjoint(one.masks or ())


def _holds(folder: Path, role: str) -> bool:
    """Whether a folder is named as one of images or of masks, and does not hold both kinds."""
    return role_of(folder.name) == role and not any(
        role_of(part.name) not in (None, role)
        for part in (folders_in(folder) if os.access(folder, os.R_OK | os.X_OK) else ())
    )


def _leaves(child: Path, closed: list[Problem]) -> list[_Leaf]:
    """A folder and those in it, as far as they hold files."""
    if not _is_open(child, closed):
        return []
    key = key_of(child.name)
    found = [_Leaf(child, child, key)] if list_files(child, "images") else []
    found += [
        _Leaf(child, part, (*key, *key_of(part.name)))
        for part in folders_in(child)
        if _is_open(part, closed) and list_files(part, "images")
    ]
    return found


def _files_of(leaves: Sequence[_Leaf]) -> list[Path]:
    return [path for leaf in leaves for path in list_files(leaf.folder, "images")]


def _is_open(folder: Path, closed: list[Problem]) -> bool:
    if os.access(folder, os.R_OK | os.X_OK):
        return True
    message = f"The folder {folder} may not be read by you; change its permissions."
    closed.append(Problem("unreadable folder", folder, message))
    return False


def _split_at(folder: Path, top: Path) -> str | None:
    """The split that a folder's name or path below ``top`` says."""
    if folder == top:  # any word of a path that a user gives would say too much
        return SPLITS.get(top.resolve().name.lower())
    return split_of(folder.relative_to(top).as_posix())


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
