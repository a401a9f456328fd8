"""Errors whose message is one sentence that says what is wrong and how to fix it."""

import re
from collections.abc import Iterable

# Control characters apart from line breaks and tabs, surrogates for bytes that are not UTF-8, and
# marks that change the direction of writing, all of which a terminal obeys.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class LesionsegError(Exception):
    """Base of all errors that the user can fix; the command line shows them without a traceback.

    Example:
        >>> import lesionseg
        >>> from lesionseg.errors import LesionsegError
        >>> try:
        ...     lesionseg.from_pretrained("mobilgan")
        ... except LesionsegError as error:
        ...     print(error)
        there is no pretrained model 'mobilgan'...
    """


class DatasetNotFoundError(LesionsegError, FileNotFoundError):
    """Raised where a data set, or an official part of it, does not exist."""


class InvalidDataError(LesionsegError, ValueError):
    """Raised where a file of a data set, or a prediction, cannot be used; the message names it."""


class MaskSizeError(InvalidDataError):
    """A mask has another size than its image."""


class MaskValueError(InvalidDataError):
    """A mask's pixel values do not say what is lesion."""


class NothingToTrainError(LesionsegError):
    """Raised where a fit resumes from a checkpoint of its last epoch."""


NOTHING_TO_TRAIN = 3
"""Exit code of a resumed fit that has nothing left to train."""


class CheckpointError(LesionsegError, ValueError):
    """Raised where a checkpoint or a weights file cannot be used; the message names it."""


def shorten(names: Iterable[str], shown: int = 3, last: str = "") -> str:
    """Join the first few names for a message, with the number of further ones.

    Args:
        names: Names to list.
        shown: Greatest number of names that are listed.
        last: Word that joins them instead of commas where all are listed.

    Example:
        >>> from lesionseg.errors import shorten
        >>> shorten(["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"])
        'a.jpg, b.jpg, c.jpg and 2 more'
        >>> shorten(["a.jpg", "b.jpg"], last="or")
        'a.jpg or b.jpg'
    """
    names = [printable(name, breaks=False) for name in names]
    if len(names) > shown:
        return f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return (f" {last} " if last else ", ").join(names)


def printable(text: str, breaks: bool = True) -> str:
    r"""Escape the characters of a text that a terminal would obey or cannot show.

    Args:
        text: Text, such as a message with the name of a file.
        breaks: Keep line breaks and tabs.

    Example:
        >>> from lesionseg.errors import printable
        >>> print(printable("mask\x1b[31m.png"))
        mask\x1b[31m.png
    """
    text = _UNSAFE.sub(lambda found: _escape(found[0]), text)
    return text if breaks else text.replace("\n", _escape("\n")).replace("\t", _escape("\t"))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
