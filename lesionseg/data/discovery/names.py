"""Names of files and folders: what holds images or masks, of which split, and which match.

Without torch and NumPy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Literal

from lesionseg.errors import DatasetNotFoundError, InvalidDataError, printable

# Formats of photographs that Pillow reads, NumPy's arrays and DICOM. HEIC and DICOM need a plugin,
# and AVIF a recent Pillow; without them an error names the file, which would else be missed
# silently.
IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".gif",
    ".jfif",
    ".jp2",
    ".pgm",
    ".ppm",
    ".tga",
    ".avif",
    ".heic",
    ".heif",
    ".npy",
    ".dcm",
    ".dicom",
)

_MASK_ENDINGS = (
    "segmentations?|seg|masks?|labels?|lesion|gt|ground_?truth|truth|annotations?|contour"
)
_MASK_NAME = re.compile(
    rf"(?P<before>.+)[-_. ](?:{_MASK_ENDINGS})"
    r"|(?:segmentation|seg|mask|label|gt)[-_. ](?P<after>.+)",
    re.IGNORECASE,
)
_IMAGE_NAME = re.compile(  # nnU-Net's 0000 is the first channel
    r"(?P<before>.+)[-_. ](?:0000|images?|img|orig|original)|(?:image|img|orig)[-_. ](?P<after>.+)",
    re.IGNORECASE,
)

HOW_NAMES_MATCH = (
    "a mask has its image's file stem, or that stem with _mask, _seg, _segmentation, _gt, _label, "
    "_lesion or the like at one end; an image's own _0000, _image or _orig does not count"
)


def list_files(folder: Path, what: str) -> list[Path]:
    """Return the image files in a folder, sorted, without hidden files and ISIC's superpixels.

    Args:
        folder: Folder to list; the folders in it are not searched.
        what: ``images`` or ``masks``, for messages.

    Raises:
        DatasetNotFoundError: If there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetNotFoundError(f"The folder of {what} {folder} does not exist; check the path.")
    return sorted(path for path in folder.iterdir() if is_image_name(path) and not path.is_dir())


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def is_image_name(path: PurePath) -> bool:
    """Return whether a file's name is that of an image or mask, by its suffix in any case.

    Example:
        >>> is_image_name(Path("a.JPG")), is_image_name(Path("ISIC_0000000_superpixels.png"))
        (True, False)
    """
    return (
        path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.lower().endswith("_superpixels")
    )


def other_files(folder: Path) -> str:
    """Count what a folder without images holds, for messages, such as ``3 .dcm, 1 .txt``."""
    names = Counter(
        "folders" if path.is_dir() else path.suffix.lower() or "files without suffix"
        for path in folder.iterdir()
        if not path.name.startswith(".")
    )
    return ", ".join(f"{count} {name}" for name, count in names.most_common(5)) or "nothing"


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, in Unicode's composed form (NFC).

    macOS and some archives store an accent as a separate character; names that look the same
    become equal.
    """
    return unicodedata.normalize("NFC", path.stem)


def strip_ending(stem: str) -> str:
    """Return the stem of a mask file without ``_segmentation``, ``mask_`` and the like.

    Example:
        >>> strip_ending("a_mask"), strip_ending("mask_a"), strip_ending("a")
        ('a', 'a', 'a')
    """
    return _strip(_MASK_NAME, stem)


def _strip(pattern: re.Pattern[str], stem: str) -> str:
    match = pattern.fullmatch(stem)
    return (match["before"] or match["after"]) if match else stem


def match_stems(images: Iterable[str], masks: Sequence[str]) -> list[str | None]:
    """Find the image that each mask belongs to, by :data:`HOW_NAMES_MATCH`.

    Equal stems take precedence over stems that are equal without their endings.

    Args:
        images: File stems, all distinct.
        masks: File stems.

    Returns:
        The stem of each mask's image; None if there is none, or if two match equally well.

    Example:
        >>> match_stems(["a", "b_0000"], ["a_seg", "b", "c"])
        ['a', 'b_0000', None]
    """
    whole = set(images)
    bare: dict[str, str | None] = {}
    for stem in whole:
        key = _strip(_IMAGE_NAME, stem)
        bare[key] = None if key in bare else stem
    found: list[str | None] = []
    for stem in masks:
        stripped = strip_ending(stem)
        exact = next((form for form in (stem, stripped) if form in whole), None)
        found.append(exact or bare.get(stem) or bare.get(stripped))
    return found


def nearest_misses(unpaired: Sequence[str], others: Sequence[str], count: int = 3) -> str:
    """Return pairs of similar names that do not match, for messages.

    Args:
        unpaired: File names without a match.
        others: File names that may have been meant.
        count: Largest number of pairs.

    Returns:
        Pairs separated by semicolons; empty if no names are similar.

    Example:
        >>> nearest_misses(["mole_1.jpg"], ["mole_1_msk.png", "z.png"])
        'mole_1.jpg and mole_1_msk.png'
    """
    stems = {Path(name).stem.lower(): name for name in others}
    pairs = []
    for name in unpaired:
        close = get_close_matches(Path(name).stem.lower(), stems, n=1, cutoff=0.5)
        if close:
            pairs.append(f"{name} and {stems[close[0]]}")
        if len(pairs) == count:
            break
    return "; ".join(pairs)


PH2_FOLDER = "PH2 Dataset images"

SPLITS = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "ts": "test",
}
_MASK_WORD = re.compile(
    r"masks?|labels?|gts?|ground|groundtruth|truths?|seg(mentation)?s?|annotations?"
)
_IMAGE_WORD = re.compile(r"images?|imgs?|inputs?|photos?|pictures?|jpe?g|orig(inals?)?")


def words_of(name: str) -> list[str]:
    """Split a name into lowercase words.

    Example:
        >>> words_of("imagesTr")
        ['images', 'tr']
    """
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def role_of(name: str) -> Literal["images", "masks"] | None:
    """Return whether a folder holds images or masks, by its name; None if that says neither."""
    if name == PH2_FOLDER:  # holds both
        return None
    if any(_MASK_WORD.fullmatch(word) for word in words_of(name)):
        return "masks"
    return "images" if any(_IMAGE_WORD.fullmatch(word) for word in words_of(name)) else None


def key_of(name: str) -> tuple[str, ...]:
    """Return the words of a folder's name without those for images and masks.

    Example:
        >>> key_of("imagesTr"), key_of("train_masks")
        (('train',), ('train',))
    """
    return tuple(
        SPLITS.get(word, word)
        for word in words_of(name)
        if not _MASK_WORD.fullmatch(word) and not _IMAGE_WORD.fullmatch(word)
    )


def split_of(name: str) -> str | None:
    """Return the split that a name contains: ``train``, ``val`` or ``test``, else None."""
    return split_of_words(words_of(name))


def split_of_words(words: Sequence[str]) -> str | None:
    """Return the split of the last word that names one, else None."""
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS), None)


_CONTROL, _NOT_UTF8 = "Cc", "Cs"  # Unicode categories; Python reads invalid bytes as surrogates


def check_name(path: Path) -> Path:
    r"""Return ``path`` if its file name is readable text.

    Names of images become ids in tables, id lists and zips of masks: UTF-8 text, one id per line.

    Raises:
        InvalidDataError: If the name is not UTF-8, or has control characters such as a line break.

    Example:
        >>> check_name(Path("a.jpg")).name
        'a.jpg'
        >>> check_name(Path("a\n.jpg"))
        Traceback (most recent call last):
        lesionseg.errors.InvalidDataError: the file name a\n.jpg has control characters; ...
    """
    kinds = {unicodedata.category(character) for character in path.name}
    if _NOT_UTF8 in kinds:
        why = "is not UTF-8 text"
    elif _CONTROL in kinds:
        why = "has control characters"
    else:
        return path
    raise InvalidDataError(
        f"the file name {printable(str(path), breaks=False)} {why}; rename the file."
    )
