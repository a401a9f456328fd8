"""Errors that come from another process as the text of a traceback, made errors again."""

from __future__ import annotations

import re

from lesionseg import errors
from lesionseg.errors import LesionsegError

#: How PyTorch hands over what was raised in a worker of a DataLoader, its thread that pins memory,
#: or a process that ``ddp_spawn`` or ``ddp_fork`` started.
_CARRIED = re.compile(r"Caught \w+ in |\s*-- Process \d+ terminated with the following error:")
_OS_ERROR = re.compile(r"\[Errno (\d+)\] (.*?)(?:: '(.*)')?", re.DOTALL)
_WORKER_LOST = re.compile(r"DataLoader worker \(pid.*\) (exited unexpectedly|is killed by signal)")


def original_error(error: Exception) -> Exception | None:
    """Return the error that another process raised, without the traceback in its message.

    Args:
        error: As PyTorch raises it in this process.

    Returns:
        An error of the same type whose message is that of the original, or a sentence for a worker
        that was killed. None for errors of this process, and for those that are no mistakes of the
        user, whose traceback is of use.
    """
    text = str(error)
    if _WORKER_LOST.search(text):
        return LesionsegError(
            "a process that reads images was killed, mostly because memory ran out; give a smaller "
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
    """The message of an error of this name that a traceback ends with."""
    last = re.compile(rf"^{re.escape(name)}: ((?:(?!^Traceback |^  File ).)*)\Z", re.M | re.S)
    found = last.search(traceback)
    return None if found is None else found[1].strip()
