"""Restore errors that another process sends as the text of a traceback."""

from __future__ import annotations

import re

from lesionseg import errors
from lesionseg.errors import LesionsegError

#: Start of the text of an error in a worker of a DataLoader, in its thread that pins memory, or in
#: a process that ``ddp_spawn`` or ``ddp_fork`` started.
_CARRIED = re.compile(r"Caught \w+ in |\s*-- Process \d+ terminated with the following error:")
_OS_ERROR = re.compile(r"\[Errno (\d+)\] (.*?)(?:: '(.*)')?", re.DOTALL)
_WORKER_LOST = re.compile(r"DataLoader worker \(pid.*\) (exited unexpectedly|is killed by signal)")


def original_error(error: Exception) -> Exception | None:
    """Return the error of another process without the traceback in its message.

    Args:
        error: As PyTorch raises it in this process.

    Returns:
        An error of the same type with the original message, or a sentence for a worker that was
        killed. None for errors of this process, and for those of which the traceback is useful.
    """
    text = str(error)
    if _WORKER_LOST.search(text):
        return LesionsegError(
            "a worker that reads images was killed, probably because memory ran out; use a smaller "
            "--data.num_workers or --data.batch_size."
        )
    if not _CARRIED.match(text):
        return None
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, LesionsegError):
            message = _message(text, f"{kind.__module__}.{name}")
            if message is not None:
                return kind(message)
    if isinstance(error, OSError):
        found = _OS_ERROR.fullmatch(_message(text, type(error).__name__) or "")
        return None if found is None else OSError(int(found[1]), found[2], found[3])
    message = _message(text, "ValueError")
    return None if message is None else ValueError(message)


def _message(traceback: str, name: str) -> str | None:
    """Return the message of an error of this name at the end of a traceback."""
    last = re.compile(rf"^{re.escape(name)}: ((?:(?!^Traceback |^  File ).)*)\Z", re.M | re.S)
    found = last.search(traceback)
    return None if found is None else found[1].strip()
