"""Errors whose message is one sentence that says what is wrong and how to mend it."""


class LesionsegError(Exception):
    """Base of every error that the user can mend; shown without a traceback."""


class DatasetNotFoundError(LesionsegError, FileNotFoundError):
    """A data set, or one official part of it, is not where it was looked for."""


class InvalidDataError(LesionsegError, ValueError):
    """A file of a data set, or a prediction, cannot be used; the message names it."""


class CheckpointError(LesionsegError, ValueError):
    """A checkpoint or a weights file cannot be used; the message names it."""
