"""What the names of folders say: whether they hold images or masks, and of which split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

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
    """Return the words of a name, such as ``images`` and ``tr`` of ``imagesTr``."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def role_of(name: str) -> Literal["images", "masks"] | None:
    """Tell folders of images and of masks by their names; None for others."""
    if name == PH2_FOLDER:  # a folder of both
        return None
    if any(_MASK_WORD.fullmatch(word) for word in words_of(name)):
        return "masks"
    return "images" if any(_IMAGE_WORD.fullmatch(word) for word in words_of(name)) else None


def key_of(name: str) -> tuple[str, ...]:
    """Return the words of a folder's name but those for images and masks, splits in one form."""
    return tuple(
        SPLITS.get(word, word)
        for word in words_of(name)
        if not _MASK_WORD.fullmatch(word) and not _IMAGE_WORD.fullmatch(word)
    )


def split_of(name: str) -> str | None:
    """Return the split that a name names: ``train``, ``val`` or ``test``."""
    return split_of_words(words_of(name))


def split_of_words(words: Sequence[str]) -> str | None:
    """Return the split that the last of such words names."""
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS), None)
