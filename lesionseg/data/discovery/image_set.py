"""Pair images with their masks by name; without torch and NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from lesionseg.data.discovery.names import list_files, match_stems, stem_of, strip_ending
from lesionseg.data.id_lists import official_ids
from lesionseg.errors import InvalidDataError

SAME_ID = "same id twice"
"""Kind of the :class:`Problem` of several files with one id."""

# Of two files with one stem in one folder, the image is the one of lower rank; others rank 0.
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
    """A problem with one file.

    Attributes:
        kind: A few words, the same for all problems of a kind, such as ``"no mask"``.
        path: The file.
        message: One sentence that names the file and the fix.

    Example:
        >>> Problem("no mask", Path("a.jpg"), "The image a.jpg has no mask; add it.").kind
        'no mask'
    """

    kind: str
    path: Path
    message: str


class Pair(NamedTuple):
    """An image file and its mask file, None if it has no mask.

    Example:
        >>> Pair("a", Path("images/a.jpg"), None).id
        'a'
    """

    id: str
    image: Path
    mask: Path | None


@dataclass(frozen=True)
class ImageSet:
    """Images and their masks: an official ISIC split, PH2, a folder or a list.

    Attributes:
        name: Display name, such as ``ISIC 2018 train``; unique within an inspection.
        images: Image files by id.
        masks: Mask files by id; None if there are no masks at all.
        year: Year of an official ISIC challenge, else None.
        split: ``train``, ``val`` or ``test``, by the challenge or the folder's name, else None.
        problems: Problems found while listing the files.
        is_selection: Whether the images were selected from more, so that masks may have no image.
        is_official: Whether lesion is what lies above 128 in the masks, as in those of ISIC and
            PH2, rather than decided from their values.

    Example:
        >>> found = ImageSet("mine", {"a": Path("a.jpg")}, {"a": Path("a.png")})
        >>> [(pair.id, pair.image.name, pair.mask.name) for pair in found.pairs]
        [('a', 'a.jpg', 'a.png')]
    """

    name: str
    images: dict[str, Path]
    masks: dict[str, Path] | None
    year: int | None = None
    split: str | None = None
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    is_selection: bool = False
    is_official: bool = False

    @property
    def pairs(self) -> list[Pair]:
        """Images with their masks, as training reads them, or all images if there are no masks."""
        masks = self.masks
        return [
            Pair(id_, path, None if masks is None else masks[id_])
            for id_, path in self.images.items()
            if masks is None or id_ in masks
        ]

    @property
    def ids(self) -> list[str]:
        """Ids of all images and masks, sorted."""
        return sorted({*self.images, *(self.masks or ())})

    @property
    def without_mask(self) -> list[Path]:
        """Images without a mask; empty if there are no masks at all."""
        masks = self.masks
        if masks is None:
            return []
        return [path for id_, path in self.images.items() if id_ not in masks]

    @property
    def without_image(self) -> list[Path]:
        """Masks without an image."""
        return [path for id_, path in (self.masks or {}).items() if id_ not in self.images]

    @property
    def official_count(self) -> int | None:
        """Number of images in the official list; None if the set is not an official split."""
        return None if self.year is None else len(official_ids(self.year, self.split))


def pair_files(
    name: str, images: Iterable[Path], masks: Sequence[Path] | None, split: str | None = None
) -> ImageSet:
    """Pair image and mask files by their stems.

    See :func:`~lesionseg.data.discovery.names.match_stems`.

    Args:
        name: Name of the set.
        images: Image files; an image's stem is its id.
        masks: Mask files; None if there are none at all.
        split: Split of the set.

    Returns:
        The set. The id of a mask without an image is its own stem without ``_mask`` and the like.

    Example:
        >>> found = pair_files("mine", [Path("a.jpg")], [Path("a_mask.png"), Path("b_mask.png")])
        >>> list(found.masks), [path.name for path in found.without_image]
        (['a', 'b'], ['b_mask.png'])
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
    """Pair the files of a folder that may hold both images and masks."""
    return pair_side_by_side(name, list_files(folder, "images"), split)


def pair_side_by_side(name: str, paths: Sequence[Path], split: str | None = None) -> ImageSet:
    """Pair files that may be both images and masks."""
    images, masks = separate_masks(paths)
    return pair_files(name, images, masks or None, split)


def separate_masks(
    paths: Sequence[Path], marked_only: bool = False
) -> tuple[list[Path], list[Path]]:
    """Separate images from masks in the same folders.

    Masks are marked by their names (``a.png`` and ``a_mask.png``), or have their image's stem and
    another format (``a.jpg`` and ``a.png``). Unless more than half of the images have a mask by
    one of these rules, all files of a folder are images.

    Args:
        paths: Image and mask files.
        marked_only: Whether masks are known to be among them: files marked as masks are masks,
            however few they are.

    Returns:
        Images and masks.
    """
    images: list[Path] = []
    masks: list[Path] = []
    for folder in dict.fromkeys(path.parent for path in paths):
        files = [path for path in paths if path.parent == folder]
        some_images, some_masks = _separate_masks(files, marked_only)
        images += some_images
        masks += some_masks
    return images, masks


def _separate_masks(paths: Sequence[Path], marked_only: bool) -> tuple[list[Path], list[Path]]:
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
    """Merge sets; an id in several of them is a problem."""
    if len(sets) == 1:
        return replace(sets[0], name=name, split=split or sets[0].split)
    problems = [problem for image_set in sets for problem in image_set.problems]
    images = by_id((item for image_set in sets for item in image_set.images.items()), problems)
    masks = by_id(
        (item for image_set in sets for item in (image_set.masks or {}).items()), problems, True
    )
    no_masks = all(image_set.masks is None for image_set in sets)
    return ImageSet(name, images, None if no_masks else masks, None, split, tuple(problems))


def drop_unpaired_masks(image_set: ImageSet) -> ImageSet:
    """Leave out the masks that have no image."""
    masks = image_set.masks or {}
    paired = {id_: path for id_, path in masks.items() if id_ in image_set.images}
    return replace(image_set, masks=paired)


def check_unique(image_set: ImageSet) -> None:
    """Check that no two files have one id.

    Raises:
        InvalidDataError: If two files have; the message names both.
    """
    for problem in image_set.problems:
        if problem.kind == SAME_ID:
            raise InvalidDataError(problem.message)


def by_id(
    files: Iterable[tuple[str, Path]], problems: list[Problem], masks: bool = False
) -> dict[str, Path]:
    """Map ids to files.

    Args:
        files: Ids and files; of several files with one id the first counts.
        problems: Receives a problem for each of the others.
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
