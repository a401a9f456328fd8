"""Mask files of a folder or a zip, which several threads can read."""

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
"""Largest file: 200 million uncompressed pixels of 32 bits, and some more."""

# A zip compresses images by little, and an uncompressed mask to a thousandth, but masks are small.
_MOST_EXPANSION, _SPARE_BYTES = 100, 1 << 24
# All files together may be compressed further: zeros deflate to a thousandth, and no more.
_MOST_TOTAL_EXPANSION, _SPARE_TOTAL = 1100, 1 << 26


@dataclass(frozen=True)
class MaskFile:
    """A file of a :class:`MaskSource`.

    Attributes:
        name: File name without any folder.
        location: Path below the folder, or inside the zip.
    """

    name: str
    location: str

    @property
    def stem(self) -> str:
        """The file name without its last suffix."""
        return PurePosixPath(self.name).stem


class MaskPair(NamedTuple):
    """A true mask and its prediction, with their id in the score table."""

    name: str
    truth: MaskFile
    prediction: MaskFile


class MaskSource(Protocol):
    """A folder or zip of masks."""

    path: Path
    files: list[MaskFile]

    def read(self, file: MaskFile, most: int = MOST_BYTES) -> bytes:
        """Return the content of a file.

        Args:
            file: An element of ``files``.
            most: Largest size in bytes.

        Raises:
            InvalidDataError: If the file is larger, cannot be read, or has an unusable name; the
                message names it.
        """


class Folder:
    """The files of a folder without its subfolders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = [MaskFile(item.name, item.name) for item in sorted(path.iterdir())]

    def read(self, file: MaskFile, most: int = MOST_BYTES) -> bytes:
        """Return the content of a file; see :class:`MaskSource`."""
        path = check_name(self.path / file.location)
        if path.is_dir():
            raise InvalidDataError(f"{path} is a folder; put the mask itself in its place.")
        if path.exists() and not path.is_file():  # reading a pipe may never end
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
        self.files = sorted(
            (
                MaskFile(name, member)
                for member in archive.namelist()
                if not member.startswith("__MACOSX")
                # Some programs for Windows write backslashes between folders.
                if (name := re.split(r"[/\\]", member)[-1])
            ),
            key=lambda file: file.name,
        )

    def read(self, file: MaskFile, most: int = MOST_BYTES) -> bytes:
        """Return the content of a file; see :class:`MaskSource`."""
        check_name(Path(file.location))
        place = f"{file.location} in {self.path}"
        info = self._archive.getinfo(file.location)
        most = min(most, _MOST_EXPANSION * info.compress_size + _SPARE_BYTES)
        if info.file_size > most:
            raise _too_long(most, place)
        try:
            # zipfile does not guarantee that members can be read concurrently; masks are small.
            with self._lock, self._archive.open(info) as member:
                content = member.read(most + 1)
        except MemoryError:
            raise
        except RuntimeError as error:  # encryption, an unknown compression method
            raise InvalidDataError(
                f"{place} cannot be unpacked ({error}); "
                "create the zip again without a password and with the usual compression (deflate)."
            ) from error
        except Exception as error:  # zipfile and the decompressors raise many kinds
            raise InvalidDataError(
                f"{place} is damaged ({error}); create the zip again."
            ) from error
        if len(content) > most:  # more than the zip declares
            raise _too_long(most, place)
        return content


@contextmanager
def open_source(path: Path, what: str) -> Iterator[MaskSource]:
    """Open a folder or zip of masks.

    Args:
        path: Folder or zip file.
        what: What it should contain, for error messages.

    Raises:
        DatasetNotFoundError: If there is nothing at the path.
        InvalidDataError: If it is neither a readable folder nor a zip.

    Example:
        >>> import io, tempfile, zipfile
        >>> from pathlib import Path
        >>> from lesionseg.scoring.mask_source import open_source
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "submission.zip")
        ...     with zipfile.ZipFile(path, "w") as archive:
        ...         archive.writestr("masks/ISIC_0000001.png", b"...")
        ...     with open_source(path, "prediction") as source:
        ...         source.files
        [MaskFile(name='ISIC_0000001.png', location='masks/ISIC_0000001.png')]
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
    except Exception as error:  # zipfile raises many kinds
        raise InvalidDataError(
            f"{path} is neither a folder nor a readable zip ({error}); "
            "give a folder of masks, or a zip of them."
        ) from error
    with archive:
        total = sum(info.file_size for info in archive.infolist())
        if total > _MOST_TOTAL_EXPANSION * path.stat().st_size + _SPARE_TOTAL:
            raise InvalidDataError(
                f"{path} would unpack to {total / 1e6:.0f} MB, far more than its own size allows; "
                "create the zip again."
            )
        yield Zip(path, archive)


def _too_long(most: int, place: str) -> InvalidDataError:
    return InvalidDataError(
        f"{place} has more than the {most / 1e6:.1f} MB that a mask of its size can have; "
        "save it as an 8-bit gray PNG."
    )
