"""The files of a folder or of a zip, read one by one, by several threads if need be."""

import re
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from lesionseg.errors import DatasetNotFoundError, InvalidDataError


@dataclass(frozen=True)
class Entry:
    """One file of a source.

    Attributes:
        name: File name without any folder.
        location: Where the source finds it: the path below the folder, or inside the zip.
    """

    name: str
    location: str

    @property
    def stem(self) -> str:
        """The file name without its last suffix."""
        return PurePosixPath(self.name).stem


class MaskPair(NamedTuple):
    """A true mask and its prediction, under the name of the row that they become."""

    name: str
    truth: Entry
    prediction: Entry


class MaskSource(Protocol):
    """Where masks come from."""

    path: Path
    entries: list[Entry]

    def read(self, entry: Entry) -> bytes:
        """Return the content of one file, or raise InvalidDataError naming it."""


class Folder:
    """The entries of a folder, not those of its subfolders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = [Entry(item.name, item.name) for item in sorted(path.iterdir())]

    def read(self, entry: Entry) -> bytes:
        """Return the content of one file, or raise InvalidDataError naming it."""
        path = self.path / entry.location
        if path.is_dir():
            raise InvalidDataError(f"{path} is a folder; put the masks themselves in its place.")
        try:
            return path.read_bytes()
        except OSError as error:
            raise InvalidDataError(
                f"{path} cannot be read ({error.strerror or error}); "
                "check that the file exists and is readable."
            ) from error


class Zip:
    """The files of a zip from all its folders, without macOS's metadata."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self._lock = threading.Lock()
        self.entries = sorted(
            (
                Entry(name, member)
                for member in archive.namelist()
                if not member.startswith("__MACOSX")
                # Some programs for Windows write backslashes between folders.
                if (name := re.split(r"[/\\]", member)[-1])
            ),
            key=lambda entry: entry.name,
        )

    def read(self, entry: Entry) -> bytes:
        """Return the content of one file, or raise InvalidDataError naming it."""
        try:
            # zipfile does not promise that members can be opened at the same time; masks are small.
            with self._lock:
                return self._archive.read(entry.location)
        # Respectively: damage, encryption, an unknown compression method (Python's zipfile).
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise InvalidDataError(
                f"{entry.location} in {self.path} is damaged ({error}); make the zip again."
            ) from error
        except RuntimeError as error:
            raise InvalidDataError(
                f"{entry.location} in {self.path} cannot be unpacked ({error}); "
                "make the zip again without a password and with the usual compression (deflate)."
            ) from error


@contextmanager
def open_source(path: Path, what: str) -> Iterator[MaskSource]:
    """Open a folder or a zip.

    Args:
        path: Folder or zip file.
        what: What it should hold, for error messages.

    Raises:
        DatasetNotFoundError: If there is nothing at the path.
        InvalidDataError: If it is neither a readable folder nor a zip.
    """
    if path.is_dir():
        try:
            folder = Folder(path)
        except OSError as error:
            raise InvalidDataError(
                f"The folder {path} cannot be listed ({error.strerror or error}); make it readable."
            ) from error
        yield folder
        return
    if not path.exists():
        raise DatasetNotFoundError(
            f"There is no {what} at {path}; give an existing folder or zip file."
        )
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidDataError(
            f"{path} is neither a folder nor a readable zip ({error}); "
            "give a folder of masks, or a zip of them."
        ) from error
    with archive:
        yield Zip(path, archive)
