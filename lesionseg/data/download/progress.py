"""How far a download is: a bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

_EVERY = 30.0  # seconds between two lines of one archive


class TransferBar:
    """One archive's progress; in a terminal several stand below each other.

    Where stderr is no terminal, lines take the bar's place, at most two a minute.

    Args:
        name: what is shown of the archive, a few words.
        row: its place among the bars, from 0.
    """

    def __init__(self, name: str, row: int = 0) -> None:
        self.name = name
        self._doing = ""
        self._total: int | None = None
        self._here = 0
        self._told = time.monotonic()
        self._bar = tqdm(
            desc=f"{name}: waits",
            position=row,
            unit="B",
            unit_scale=True,
            dynamic_ncols=True,
            disable=None,
        )

    def begin(self, doing: str, total: int | None = None, here: int = 0) -> None:
        """Start a stretch of the way.

        Args:
            doing: one word.
            total: bytes of the whole way, None if unknown.
            here: bytes that are behind already.
        """
        self._doing, self._total, self._here = doing, total, here
        self._bar.reset(total)
        self._bar.total = total
        # the speed is that of this stretch
        self._bar.initial = self._bar.n = self._bar.last_print_n = here
        self.note(doing)

    def advance(self, count: int) -> None:
        """Go ``count`` bytes further."""
        self._here += count
        self._bar.update(count)
        if self._bar.disable and time.monotonic() - self._told > _EVERY:
            of = f" of {size_text(self._total)}" if self._total else ""
            self.say(f"{self._doing}, {size_text(self._here)}{of}")

    def note(self, text: str) -> None:
        """Show a word or two beside the bar; a log does without."""
        self._bar.set_description(f"{self.name}: {text}")

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._told = time.monotonic()
        say(f"{self.name}: {text}")

    def close(self) -> None:
        """Leave the bar as it is; the uppermost first."""
        self._bar.close()


def say(text: str) -> None:
    """Write a line to stderr, above the bars."""
    tqdm.write(f"download: {text}", file=sys.stderr)


def size_text(count: float) -> str:
    """A number of bytes, such as ``11.2 GB``."""
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_:
            return f"{count / bytes_:.1f} {unit}"
    return f"{count:.0f} bytes"
