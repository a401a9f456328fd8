"""Errors whose message is one sentence that says what is wrong and how to mend it."""

from collections.abc import Iterable


class LesionsegError(Exception):
    """Base of every error that the user can mend; shown without a traceback."""


class DatasetNotFoundError(LesionsegError, FileNotFoundError):
    """A data set, or one official part of it, is not where it was looked for."""


class InvalidDataError(LesionsegError, ValueError):
    """A file of a data set, or a prediction, cannot be used; the message names it."""


class CheckpointError(LesionsegError, ValueError):
    """A checkpoint or a weights file cannot be used; the message names it."""


def shorten(names: Iterable[str], shown: int = 3, last: str = "") -> str:
    """Return the first few names and how many more there are, for messages.

    Args:
        names: What is named.
        shown: How many are.
        last: A word that joins them instead of commas where all are shown.
    """
    names = list(names)
    if len(names) > shown:
        return f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return (f" {last} " if last else ", ").join(names)
