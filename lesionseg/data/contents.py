"""What is in the files of a data set: digests, remembered while the files stay as they are."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any

from tqdm import tqdm

from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import DatasetNotFoundError, InvalidDataError
from lesionseg.files import atomic_path

State = tuple[int, int]
"""What tells that a file has changed: its length and its modification time in nanoseconds."""


@dataclass
class Memo:
    """What is known of the files of one data set; kept as a JSON file beside the stores.

    Attributes:
        states: length and time of each file when its digest was taken.
        digests: SHA-256 of each file's bytes, in hexadecimal.
        stores: name of the data set's store, by count, channels, height and width.
    """

    states: dict[str, State] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    stores: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Memo":
        """Read a memo; one that is absent or damaged knows nothing."""
        try:
            content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            states = {name: (int(a), int(b)) for name, (a, b) in content["states"].items()}
            digests = {name: content["digests"][name] for name in states}
            return cls(states, digests, content["stores"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write the memo, whole or not at all."""
        with atomic_path(path) as unfinished:
            unfinished.write_text(json.dumps(self.__dict__), encoding="utf-8")

    def changed(self, states: Mapping[str, State]) -> list[str]:
        """Files whose digest is unknown, or was taken of another length or time."""
        return [name for name, state in states.items() if self.states.get(name) != state]

    def renew(self, states: Mapping[str, State], threads: int) -> None:
        """Read what has changed, in several threads, and take its digests."""
        changed = self.changed(states)
        with thread_pool(threads) as pool:
            digests = tqdm(
                pool.map(_digest, changed),
                total=len(changed),
                desc="cache: contents",
                unit="file",
                delay=2,  # most data sets are read before anybody asks
                mininterval=0.1 if sys.stderr.isatty() else 30.0,
            )
            self.digests |= zip(changed, digests, strict=True)
        self.states |= states


def file_states(paths: Iterable[Path]) -> dict[str, State]:
    """Length and time of files, by their absolute paths.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if it is a folder, a pipe or a device.
    """
    states = {}
    for path in paths:
        try:
            stat = path.stat()
        except FileNotFoundError:
            raise DatasetNotFoundError(f"The file {path} does not exist; check the path.") from None
        if not S_ISREG(stat.st_mode):
            raise InvalidDataError(f"{path} is not a regular file; give the file itself.")
        states[str(path)] = stat.st_size, stat.st_mtime_ns
    return states


def _digest(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()
