"""Extract a verified zip archive: safely, and completely or not at all."""

from __future__ import annotations

import shutil
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from re import Pattern

from lesionseg.data.archives import Archive
from lesionseg.data.discovery.scanner import ids_in
from lesionseg.data.download.http import Stopped
from lesionseg.errors import InvalidDataError
from lesionseg.files import size_text

# Official archives hold JPEGs and PNGs, which deflate shrinks by 2 % (images) to 25 % (masks).
_MAX_EXPANSION = 10
_SPARE_BYTES = 1_000_000  # small files shrink more


def extract(
    path: Path, root: Path, archive: Archive, name: Pattern[str], stop: threading.Event
) -> None:
    """Extract an archive to its official folder, or add to that folder what it lacks.

    :mod:`zipfile` keeps every file below the folder that it extracts to. That is a hidden folder,
    which gets the official name once it is complete; in an official folder that exists, files are
    never replaced, apart from empty ones.

    Args:
        path: Zip archive, of any file name.
        root: Folder of the official folders.
        archive: Facts about the archive.
        name: Pattern of the file names of its images or masks.
        stop: Once set, nothing more is extracted.

    Raises:
        InvalidDataError: If the archive is damaged or expands far more than official ones do.
        OSError: If the disk is full.
        Stopped: If ``stop`` was set.
    """
    home = archive.home(root)
    temporary = home / ".extracting" if home.is_dir() else root / f".{archive.folder}.extracting"
    present = ids_in(home, name)
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed process
    temporary.mkdir()
    try:
        with zipfile.ZipFile(path) as zip_file:
            members = zip_file.infolist()
            limit = _MAX_EXPANSION * path.stat().st_size + _SPARE_BYTES
            if (total := sum(member.file_size for member in members)) > limit:
                raise zipfile.BadZipFile(f"it expands to {size_text(total)}")
            for member in members:
                if stop.is_set():
                    raise Stopped
                match = name.fullmatch(PurePosixPath(member.filename).name)
                if match is None or match[1].upper() not in present:
                    zip_file.extract(member, temporary)
        _move(_folder_of_images(temporary, name), home)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise InvalidDataError(
            f"the archive {path} cannot be extracted ({error}); delete it and run the same command "
            "again, or choose another --mirror."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _folder_of_images(folder: Path, name: Pattern[str]) -> Path:
    """Return the folder or sub-folder that holds most of the images or masks."""
    folders = [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]
    return max(folders, key=lambda path: len(ids_in(path, name)))


def _move(source: Path, home: Path) -> None:
    if not home.is_dir():
        source.rename(home)
        return
    for path in source.rglob("*"):
        target = home / path.relative_to(source)
        if path.is_file() and not (target.exists() and target.stat().st_size):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
