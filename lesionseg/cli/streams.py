"""Standard output whose reader has gone, as behind ``| head``, or whose disk is full."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from typing import TextIO

#: What a shell reports of a program that SIGPIPE has ended; 141 where there is that signal.
READER_GONE = 128 + getattr(signal, "SIGPIPE", 13)


def reader_is_gone() -> bool:
    """Tell whether nobody reads standard output or standard error any more."""
    if not hasattr(select, "poll"):  # Windows
        return True
    return any(_is_broken(stream) for stream in (sys.stdout, sys.stderr))


def _is_broken(stream: TextIO) -> bool:
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):  # none, closed, or captured
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def discard_output() -> None:
    """Send what is still to be written nowhere, so that Python does not complain at its exit."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123, there is no path to speak of
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                if stream is sys.stdout or _is_broken(stream):
                    os.dup2(nowhere.fileno(), stream.fileno())
