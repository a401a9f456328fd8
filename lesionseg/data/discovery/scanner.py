"""Scan folders for images and masks: official ISIC splits, PH2, and a user's folders and tables.

Data sets, downloads and inspection all scan with this module, so that what is inspected is what is
trained on. No image is opened: broken files are listed like others.
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
    drop_unpaired_masks,
    merge_sets,
    pair_files,
    pair_in_folder,
    pair_side_by_side,
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
    """List an official ISIC split by the ids in its file names; other files are ignored.

    Args:
        root: Folder that holds the official folders, which need not exist.
        year: 2016, 2017 or 2018.
        split: ``train``, ``val`` or ``test``.
        masks: Whether to list the masks.

    Raises:
        ValueError: If there is no such year or split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     folder = Path(root, "ISIC2018_Task1-2_Validation_Input")
        ...     folder.mkdir()
        ...     (folder / "ISIC_0012255.jpg").touch()
        ...     found = scan_isic(Path(root), 2018, "val")
        >>> found.name, found.ids, found.masks, found.official_count
        ('ISIC 2018 val', ['ISIC_0012255'], None, 100)
    """
    problems: list[Problem] = []
    official = official_archives(year, split)
    listed = []
    for archive, pattern in ((official.images, IMAGE_NAME), (official.masks, MASK_NAME)):
        listed.append(by_id(isic_files(archive.home(root), pattern), problems))
    truth = listed[1] if masks and official.masks.home(root).is_dir() else None
    name = f"ISIC {year} {split}"
    return ImageSet(name, listed[0], truth, year, split, tuple(problems), is_official=True)


def isic_files(folder: Path, name: re.Pattern[str]) -> list[tuple[str, Path]]:
    """Return the ISIC ids and paths of a folder's files, sorted by path.

    Args:
        folder: Folder to list; it need not exist.
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
    """Return the ISIC ids of a folder's files without empty ones, which a full disk leaves.

    Args:
        folder: Folder to list; it need not exist.
        name: :data:`IMAGE_NAME` or :data:`MASK_NAME`.
    """
    return {id_ for id_, path in isic_files(folder, name) if path.is_file() and path.stat().st_size}


def scan_ph2(folder: Path) -> ImageSet:
    """List the cases of PH2.

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
    return ImageSet("PH2", images, masks, is_official=True)


def ph2_folder(root: Path) -> Path | None:
    """Return ``PH2 Dataset images`` in ``root`` or its ``PH2Dataset``, or ``root`` itself."""
    for folder in (root / PH2_FOLDER, root / "PH2Dataset" / PH2_FOLDER, root):
        if folder.is_dir() and folder.name == PH2_FOLDER:
            return folder
    return None


def find_sets(paths: Iterable[str | Path], masks: Sources | None = None) -> tuple[ImageSet, ...]:
    """Find the image sets under some paths.

    A path may be

    - a folder that holds unpacked official ISIC archives, or PH2;
    - a folder with folders of images and of masks that are named so: ``images`` and ``masks``,
      with ``train`` and so on inside or around them, nnU-Net's ``imagesTr`` and ``labelsTr``, or
      HAM10000's two folders of images and one of segmentations;
    - a folder of images, with or without masks beside them;
    - a folder that holds any of these, at most two levels deep;
    - a CSV file of image and mask paths (:func:`~lesionseg.data.discovery.sources.read_table`).

    No image is opened: broken files are listed like others.

    Args:
        paths: Folders or CSV files.
        masks: Masks of the images in a single path, paired as by :func:`scan_pairs`.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is another file, or ``masks`` is given for several paths.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("images/train/a.jpg", "masks/train/a_mask.png"):
        ...         Path(root, name).parent.mkdir(parents=True)
        ...         Path(root, name).touch()
        ...     (found,) = find_sets([root])
        >>> found.split, found.ids, found.masks["a"].name
        ('train', ['a'], 'a_mask.png')
    """
    folders = [Path(path).expanduser() for path in paths]
    if masks is not None and len(folders) != 1:
        raise LesionsegError(
            f"--masks needs a single folder of images, got {len(folders)}; inspect the folders "
            "separately, or name the folders of images and masks so."
        )
    for folder in folders:
        if not folder.exists():
            raise DatasetNotFoundError(f"There is no folder {folder}; check the path.")
        if not folder.is_dir() and not is_table(folder):
            raise LesionsegError(f"{folder} is a file; give the folder that holds it.")
    found: list[ImageSet] = []
    unreadable: list[Problem] = []
    for folder in folders:
        if masks is not None:
            sets = [replace(scan_pairs(folder, masks), name=_label(folder, folder))]
        elif not folder.is_dir():
            sets = read_table(folder)
        else:
            sets = list(_search(folder, folder, DEPTH, unreadable))
        sets = [image_set for image_set in sets if image_set.images or image_set.masks]
        if not sets:
            if unreadable and unreadable[-1].path == folder:
                raise DatasetNotFoundError(unreadable[-1].message)
            raise DatasetNotFoundError(
                f"There are no images in {folder}, nor {DEPTH} folders deep below it, only "
                f"{other_files(folder) if folder.is_dir() else 'an empty table'}; give a folder "
                "that holds the official ISIC folders, PH2, or your images."
            )
        found += sets
    sets = _unique(found)
    if unreadable:  # problems belong to sets
        sets[0] = replace(sets[0], problems=(*dict.fromkeys(unreadable), *sets[0].problems))
    return _number_equal_names(sets)


def find_split(
    paths: Sources, split: Literal["train", "val", "test"], strict: bool = False
) -> ImageSet | None:
    """Find the images of one split in the layouts that :func:`find_sets` finds.

    Args:
        paths: Folders or CSV files.
        split: The split.
        strict: Whether only sets of this split count, and for training those of no split if there
            are no others. Else, if no set is of this split, those of no split count, or all.

    Returns:
        The sets of this split merged into one; None if there are none.

    Raises:
        DatasetNotFoundError: If a path does not exist or no images are found under it.
        LesionsegError: If a path is a file but not a CSV file.
    """
    sources = as_list(paths)
    sets = find_sets(sources)
    chosen = [image_set for image_set in sets if image_set.split == split]
    if not chosen and (split == "train" or not strict):
        chosen = [image_set for image_set in sets if image_set.split is None]
    if not chosen and not strict:
        chosen = list(sets)
    return merge_sets(names_of(sources), chosen, split) if chosen else None


def _search(folder: Path, top: Path, depth: int, unreadable: list[Problem]) -> Iterator[ImageSet]:
    """Yield the sets in a folder and below; folders that belong to a set are not searched again.

    Folders that cannot be read are added to ``unreadable``.
    """
    if not _is_readable(folder, unreadable):
        return
    used: set[Path] = set()
    for year, splits in ARCHIVES.items():
        for split, official in splits.items():
            homes = {folder / archive.folder for archive in official}
            if any(home.is_dir() for home in homes):
                used |= homes
                yield scan_isic(folder, year, split)
    if folder.name == PH2_FOLDER:
        yield scan_ph2(folder)
        return
    label = _label(folder, top)
    children = [child for child in folders_in(folder) if child not in used]
    images, masks = (
        [leaf for child in children if _holds(child, role) for leaf in _leaves(child, unreadable)]
        for role in ("images", "masks")
    )
    files = list_files(folder, "images")
    if images:
        found = _side_by_side(label, _split_at(folder, top), images, masks)
    elif files and masks:
        found = [([], masks, pair_files(label, files, _files_of(masks), _split_at(folder, top)))]
        found = found if _any_paired(found[0][2]) else []
    else:
        found = []
    for some_images, some_masks, image_set in found:
        used |= {leaf.child for leaf in (*some_images, *some_masks)}
        yield image_set
    if files and (images or not found):  # else they have been paired
        yield pair_in_folder(label, folder, _split_at(folder, top))
    if depth:
        for child in children:
            if child not in used:
                yield from _search(child, top, depth - 1, unreadable)


class _Leaf(NamedTuple):
    """A folder that holds files.

    Attributes:
        child: The folder itself or its parent, next to other folders of images and masks.
        folder: The folder.
        key: Words of its name other than those for images and masks.
    """

    child: Path
    folder: Path
    key: tuple[str, ...]


def _side_by_side(
    label: str, split_here: str | None, images: Sequence[_Leaf], masks: Sequence[_Leaf]
) -> list[tuple[list[_Leaf], list[_Leaf], ImageSet]]:
    """Pair folders of images with folders of masks by equal names, or by their split.

    Folders of masks without a split belong to all images that have no others.
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
        image_set = pair_files(name, _files_of(some_images), _files_of(some_masks), split)
        if key not in alike and not _any_paired(image_set):
            some_masks = []
        if not some_masks:
            image_set = pair_side_by_side(name, _files_of(some_images), split)
        elif sum(some_masks[0] in truth for _, _, truth in groups) > 1:
            image_set = drop_unpaired_masks(image_set)
        found.append((some_images, some_masks, image_set))
    return found


def _any_paired(image_set: ImageSet) -> bool:
    """Return whether any mask has an image: names of folders may mislead."""
    return not image_set.images.keys().isdisjoint(image_set.masks or ())


def _holds(folder: Path, role: str) -> bool:
    """Return whether a folder is named for images or masks, and does not hold both."""
    return role_of(folder.name) == role and not any(
        role_of(part.name) not in (None, role)
        for part in (folders_in(folder) if os.access(folder, os.R_OK | os.X_OK) else ())
    )


def _leaves(child: Path, unreadable: list[Problem]) -> list[_Leaf]:
    """Return a folder and its subfolders, as far as they hold image files."""
    if not _is_readable(child, unreadable):
        return []
    key = key_of(child.name)
    found = [_Leaf(child, child, key)] if list_files(child, "images") else []
    found += [
        _Leaf(child, part, (*key, *key_of(part.name)))
        for part in folders_in(child)
        if _is_readable(part, unreadable) and list_files(part, "images")
    ]
    return found


def _files_of(leaves: Sequence[_Leaf]) -> list[Path]:
    return [path for leaf in leaves for path in list_files(leaf.folder, "images")]


def _is_readable(folder: Path, unreadable: list[Problem]) -> bool:
    if os.access(folder, os.R_OK | os.X_OK):
        return True
    message = f"The folder {folder} cannot be read; change its permissions."
    unreadable.append(Problem("unreadable folder", folder, message))
    return False


def _split_at(folder: Path, top: Path) -> str | None:
    """Return the split that a folder's name or path below ``top`` contains."""
    if folder == top:  # only the whole name: any word of the user's own path would be too much
        return SPLITS.get(top.resolve().name.lower())
    return split_of(folder.relative_to(top).as_posix())


def _label(folder: Path, top: Path) -> str:
    return top.resolve().name if folder == top else folder.relative_to(top).as_posix()


def _unique(sets: Sequence[ImageSet]) -> list[ImageSet]:
    """Return the sets without repetitions, which a path inside another path causes."""
    found: dict[tuple[Path, ...], ImageSet] = {}
    for image_set in sets:
        files = {**(image_set.masks or {}), **image_set.images}.values()
        found.setdefault(tuple(sorted(path.resolve() for path in files)), image_set)
    return list(found.values())


def _number_equal_names(sets: Sequence[ImageSet]) -> tuple[ImageSet, ...]:
    """Append a number to names that several sets have."""
    names = [image_set.name for image_set in sets]
    return tuple(
        image_set
        if names.count(image_set.name) == 1
        else replace(image_set, name=f"{image_set.name} #{names[:index].count(image_set.name) + 1}")
        for index, image_set in enumerate(sets)
    )
