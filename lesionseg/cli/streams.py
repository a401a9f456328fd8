"""Standard output whose reader has gone, as behind ``| head``, or whose disk is full."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from typing import TextIO

#: The exit code that a shell reports after SIGPIPE; 141 where there is that signal.
READER_GONE = 128 + getattr(signal, "SIGPIPE", 13)


def reader_is_gone() -> bool:
    """Return whether the reader of standard output or standard error has closed it."""
    if not hasattr(select, "poll"):  # Windows
        return True
    return any(_is_broken(stream) for stream in (sys.stdout, sys.stderr))


def _is_broken(stream: TextIO) -> bool:
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):  # missing, closed or captured
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def flush_output() -> None:
    """Flush standard output and standard error, before Python does so at exit.

    Raises:
        OSError: If they cannot be written, also a BrokenPipeError; what is left is discarded.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        discard_output()
        raise


def discard_output() -> None:
    """Discard what is still to be written, so that Python does not complain at exit."""
    with open(os.devnull, "w") as null:  # noqa: PTH123, a device
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                if stream is sys.stdout or _is_broken(stream):
                    os.dup2(null.fileno(), stream.fileno())
