"""The files of a folder or of a zip, read one by one, by several threads if need be."""

import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from lesionseg.data.discovery.names import check_name
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

MOST_BYTES = 1 << 30
"""Of one file: 200 million pixels of 32 bits, uncompressed, and some more."""

# Images shrink little in a zip; an uncompressed mask may shrink a thousandfold, but is small.
_MOST_EXPANSION, _SPARE_BYTES = 100, 1 << 24
# All files together may shrink further: zeros deflate to a thousandth, and no more.
_MOST_TOTAL_EXPANSION, _SPARE_TOTAL = 1100, 1 << 26


@dataclass(frozen=True)
class MaskFile:
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
    truth: MaskFile
    prediction: MaskFile


class MaskSource(Protocol):
    """Where masks come from."""

    path: Path
    entries: list[MaskFile]

    def read(self, entry: MaskFile, most: int = MOST_BYTES) -> bytes:
        """Return the content of one file.

        Args:
            entry: One of ``entries``.
            most: Bytes that it may have.

        Raises:
            InvalidDataError: If it has more, cannot be read, or has an unusable name; the message
                names it.
        """


class Folder:
    """The entries of a folder, not those of its subfolders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = [MaskFile(item.name, item.name) for item in sorted(path.iterdir())]

    def read(self, entry: MaskFile, most: int = MOST_BYTES) -> bytes:
        """Return the content of one file; see :class:`MaskSource`."""
        path = check_name(self.path / entry.location)
        if path.is_dir():
            raise InvalidDataError(f"{path} is a folder; put the masks themselves in its place.")
        if path.exists() and not path.is_file():  # to read a pipe may take for ever
            raise InvalidDataError(f"{path} is a pipe or a device; put a mask in its place.")
        try:
            if path.stat().st_size > most:
                raise _too_long(most, str(path))
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
                MaskFile(name, member)
                for member in archive.namelist()
                if not member.startswith("__MACOSX")
                # Some programs for Windows write backslashes between folders.
                if (name := re.split(r"[/\\]", member)[-1])
            ),
            key=lambda entry: entry.name,
        )

    def read(self, entry: MaskFile, most: int = MOST_BYTES) -> bytes:
        """Return the content of one file; see :class:`MaskSource`."""
        check_name(Path(entry.location))
        place = f"{entry.location} in {self.path}"
        info = self._archive.getinfo(entry.location)
        most = min(most, _MOST_EXPANSION * info.compress_size + _SPARE_BYTES)
        if info.file_size > most:
            raise _too_long(most, place)
        try:
            # zipfile does not promise that members can be opened at the same time; masks are small.
            with self._lock, self._archive.open(info) as member:
                content = member.read(most + 1)
        except MemoryError:
            raise
        except RuntimeError as error:  # encryption, an unknown compression method
            raise InvalidDataError(
                f"{place} cannot be unpacked ({error}); "
                "make the zip again without a password and with the usual compression (deflate)."
            ) from error
        except Exception as error:  # zipfile and the decompressors have their own kinds for damage
            raise InvalidDataError(f"{place} is damaged ({error}); make the zip again.") from error
        if len(content) > most:  # it declares less than it holds
            raise _too_long(most, place)
        return content


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
    if not path.is_file():
        raise InvalidDataError(f"{path} is a pipe or a device; give a folder of masks, or a zip.")
    try:
        archive = zipfile.ZipFile(path)
    except MemoryError:
        raise
    except Exception as error:  # zipfile has many kinds for damage
        raise InvalidDataError(
            f"{path} is neither a folder nor a readable zip ({error}); "
            "give a folder of masks, or a zip of them."
        ) from error
    with archive:
        total = sum(info.file_size for info in archive.infolist())
        if total > _MOST_TOTAL_EXPANSION * path.stat().st_size + _SPARE_TOTAL:
            raise InvalidDataError(
                f"{path} would unpack to {total / 1e6:.0f} MB, far more than its own size allows; "
                "make the zip again."
            )
        yield Zip(path, archive)


def _too_long(most: int, place: str) -> InvalidDataError:
    return InvalidDataError(
        f"{place} has more than the {most / 1e6:.1f} MB that a mask of its size can have; "
        "write it again as an 8-bit gray PNG."
    )
