"""Errors whose message is one sentence that says what is wrong and how to mend it."""

import re
from collections.abc import Iterable

# Control characters but for line breaks and tabs, what stands for bytes that are not UTF-8, and
# marks that change the direction of writing. A terminal obeys them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class LesionsegError(Exception):
    """Base of every error that the user can mend; shown without a traceback."""


class DatasetNotFoundError(LesionsegError, FileNotFoundError):
    """A data set, or one official part of it, is not where it was looked for."""


class InvalidDataError(LesionsegError, ValueError):
    """A file of a data set, or a prediction, cannot be used; the message names it."""


class NothingToTrainError(LesionsegError):
    """A fit is to resume from a checkpoint that has the whole fit behind it."""


NOTHING_TO_TRAIN = 3
"""Exit code of a fit that resumes and has nothing left to train."""


class CheckpointError(LesionsegError, ValueError):
    """A checkpoint or a weights file cannot be used; the message names it."""


def shorten(names: Iterable[str], shown: int = 3, last: str = "") -> str:
    """Return the first few names and how many more there are, for messages.

    Args:
        names: What is named.
        shown: How many are.
        last: A word that joins them instead of commas where all are shown.
    """
    names = [printable(name, breaks=False) for name in names]
    if len(names) > shown:
        return f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return (f" {last} " if last else ", ").join(names)


def printable(text: str, breaks: bool = True) -> str:
    """Return a text with escapes for what a terminal would obey or cannot show.

    Args:
        text: Such as a message with the name of a file.
        breaks: Leave line breaks and tabs.
    """
    text = _UNSAFE.sub(lambda found: _escape(found[0]), text)
    return text if breaks else text.replace("\n", _escape("\n")).replace("\t", _escape("\t"))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
