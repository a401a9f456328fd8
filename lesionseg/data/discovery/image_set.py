"""Images with their masks, paired by name; without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from lesionseg.data.discovery.names import list_files, match_stems, stem_of, strip_ending
from lesionseg.data.id_lists import official_ids
from lesionseg.errors import InvalidDataError

SAME_ID = "same id twice"
"""Kind of the :class:`Problem` of an id that several files have."""

# Of two files with one stem in one folder, the image is the one whose suffix comes first here.
_MASK_RANK = {
    ".tif": 1,
    ".tiff": 1,
    ".jp2": 1,
    ".ppm": 1,
    ".tga": 1,
    ".bmp": 2,
    ".png": 3,
    ".pgm": 4,
    ".gif": 5,
    ".npy": 6,
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
    """Images that belong together, with their masks: an official split, PH2, a folder or a list.

    Attributes:
        name: For people, such as ``ISIC 2018 train``; all sets of an inspection differ in it.
        images: Image files by id.
        masks: Mask files by id; None where there are none at all.
        year: Of an official ISIC challenge, else None.
        split: ``train``, ``val`` or ``test``, of a challenge or by the folder's name, else None.
        problems: What was amiss when the files were listed.
        is_selection: Whether the images are some of more, so that masks of others may be there.
    """

    name: str
    images: dict[str, Path]
    masks: dict[str, Path] | None
    year: int | None = None
    split: str | None = None
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    is_selection: bool = False

    @property
    def ids(self) -> list[str]:
        """Ids of all images and masks, sorted."""
        return sorted({*self.images, *(self.masks or ())})

    @property
    def without_mask(self) -> list[Path]:
        """Images that have no mask, where there are masks at all."""
        masks = self.masks
        if masks is None:
            return []
        return [path for id_, path in self.images.items() if id_ not in masks]

    @property
    def without_image(self) -> list[Path]:
        """Masks that have no image."""
        return [path for id_, path in (self.masks or {}).items() if id_ not in self.images]

    @property
    def official_count(self) -> int | None:
        """Number of images in the official list; None if the set is no official split."""
        return None if self.year is None else len(official_ids(self.year, self.split))


def pair_files(
    name: str, images: Iterable[Path], masks: Sequence[Path] | None, split: str | None = None
) -> ImageSet:
    """Pair image and mask files by their stems.

    See :func:`~lesionseg.data.discovery.names.match_stems`.

    Args:
        name: Of the set.
        images: Image files; an image's stem is its id.
        masks: Mask files; None where there are none at all.
        split: Of the set.

    Returns:
        The set. A mask without an image has its own stem, without its ending, as id.
    """
    problems: list[Problem] = []
    by_stem = by_id(((stem_of(path), path) for path in images), problems)
    if masks is None:
        return ImageSet(name, by_stem, None, None, split, tuple(problems))
    stems = [stem_of(path) for path in masks]
    owners = match_stems(by_stem, stems)
    ids = [owner or strip_ending(stem) for owner, stem in zip(owners, stems, strict=True)]
    truth = by_id(zip(ids, masks, strict=True), problems, masks=True)
    return ImageSet(name, by_stem, truth, None, split, tuple(problems))


def pair_in_folder(name: str, folder: Path, split: str | None = None) -> ImageSet:
    """Pair the files of a folder that may hold images and masks side by side."""
    return pair_side_by_side(name, list_files(folder, "images"), split)


def pair_side_by_side(name: str, paths: Sequence[Path], split: str | None = None) -> ImageSet:
    """Pair files among which images and masks may be mixed."""
    images, masks = tell_apart(paths)
    return pair_files(name, images, masks or None, split)


def tell_apart(paths: Sequence[Path], marked_only: bool = False) -> tuple[list[Path], list[Path]]:
    """Tell images from masks that lie in the same folders.

    Masks are marked by their names (``a.png`` and ``a_mask.png``), or have their image's stem and
    another format (``a.jpg`` and ``a.png``). Unless more than half of the images have a mask by
    such a rule, all files of a folder are images.

    Args:
        paths: Files.
        marked_only: Whether the folder is known to hold masks: those marked are, however few.

    Returns:
        Images and masks.
    """
    images: list[Path] = []
    masks: list[Path] = []
    for folder in dict.fromkeys(path.parent for path in paths):
        files = [path for path in paths if path.parent == folder]
        some_images, some_masks = _tell_apart(files, marked_only)
        images += some_images
        masks += some_masks
    return images, masks


def _tell_apart(paths: Sequence[Path], marked_only: bool) -> tuple[list[Path], list[Path]]:
    marked = [path for path in paths if strip_ending(path.stem) != path.stem]
    plain = [path for path in paths if strip_ending(path.stem) == path.stem]
    owned = match_stems(map(stem_of, plain), [stem_of(path) for path in marked])
    if marked and (marked_only or 2 * len(set(owned) - {None}) > len(plain)):
        return plain, marked
    groups: dict[str, list[Path]] = {}
    for path in sorted(paths, key=lambda path: (_MASK_RANK.get(path.suffix.lower(), 0), path)):
        groups.setdefault(stem_of(path), []).append(path)
    several = [group for group in groups.values() if len(group) > 1]
    if 2 * len(several) <= len(groups):
        return list(paths), []
    suffixes = {group[0].suffix.lower() for group in several}
    images = {group[0] for group in groups.values() if group[0].suffix.lower() in suffixes}
    return [p for p in paths if p in images], [p for p in paths if p not in images]


def merge_sets(name: str, sets: Sequence[ImageSet], split: str | None = None) -> ImageSet:
    """Put sets together; an id that several have is a problem."""
    if len(sets) == 1:
        return replace(sets[0], name=name, split=split or sets[0].split)
    problems = [problem for one in sets for problem in one.problems]
    images = by_id((item for one in sets for item in one.images.items()), problems)
    masks = by_id((item for one in sets for item in (one.masks or {}).items()), problems, True)
    bare = all(one.masks is None for one in sets)
    return ImageSet(name, images, None if bare else masks, None, split, tuple(problems))


def without_lone_masks(one: ImageSet) -> ImageSet:
    """Leave out the masks that belong to no image."""
    owned = {id_: path for id_, path in (one.masks or {}).items() if id_ in one.images}
    return replace(one, masks=owned)


def check_unique(one: ImageSet) -> None:
    """Check that no id comes twice.

    Raises:
        InvalidDataError: If an id does; the message names both files.
    """
    for problem in one.problems:
        if problem.kind == SAME_ID:
            raise InvalidDataError(problem.message)


def by_id(
    files: Iterable[tuple[str, Path]], problems: list[Problem], masks: bool = False
) -> dict[str, Path]:
    """Map ids to files, the first of each id; a problem is added for every other.

    Args:
        files: Ids and files.
        problems: Where to add.
        masks: Whether the files are masks.
    """
    found: dict[str, Path] = {}
    for id_, path in files:
        first = found.setdefault(id_, path)
        if first != path:
            message = (
                f"The masks {first} and {path} belong to the same image; remove one."
                if masks
                else f"{first} and {path} have the same id {id_}; remove one."
            )
            problems.append(Problem(SAME_ID, path, message))
    return found
