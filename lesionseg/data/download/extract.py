"""Unpacking an official zip so that nothing leaves its folder and nothing is ever half there.

zipfile's own ``extractall`` mends bad names silently, writes as much as the archive declares and
leaves half a folder when it is stopped. Here every entry is checked before the first is written,
what is written is counted, and a folder appears under its name when it is complete.
"""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from re import Pattern

from lesionseg.data.archives import Archive
from lesionseg.data.discovery.scanner import ids_in
from lesionseg.data.download.http import Stopped
from lesionseg.data.download.progress import TransferBar, size_text
from lesionseg.errors import InvalidDataError, LesionsegError, shorten

_CHUNK = 1 << 20
# Official zips hold JPEGs and PNGs, which deflate shrinks by 2 % (images) to 25 % (masks).
_MOST_EXPANSION = 10
_SPARE_BYTES = 1_000_000  # small files shrink more
# 2017 has superpixels beside the images, and a Mac doubles each file with one of its own.
_MOST_ENTRIES_PER_FILE = 4
_SPARE_ENTRIES = 100

Entry = tuple[zipfile.ZipInfo, PurePosixPath]
"""An entry and its path below the official folder."""


def unpack(
    path: Path,
    root: Path,
    archive: Archive,
    name: Pattern[str],
    bar: TransferBar,
    stop: threading.Event,
) -> None:
    """Unpack a zip to its official folder, or add to that folder what is missing there.

    Files are written to a hidden folder first. Where there is no official folder yet, it gets its
    name when it is complete; where there is one, its files are left as they are, but for empty
    ones, and each missing one is moved in when it is whole.

    Args:
        path: the zip, of any file name.
        root: the folder that holds the official folders.
        archive: what is known of the zip.
        name: of the images or masks in it.
        bar: shows the way.
        stop: makes this raise :class:`Stopped`.

    Raises:
        InvalidDataError: if it is no zip, an entry is unsafe or damaged, it holds much more than
            official ones do, or fewer images or masks than it should. Nothing was added then.
        LesionsegError: if the disk has no room for it.
        Stopped: if somebody asks for it; nothing was added.
    """
    home = archive.home(root)
    try:
        with zipfile.ZipFile(path) as zip_file:
            entries = checked_entries(zip_file, path, archive)
            entries = _missing(entries, home, name, bar)
            needed = sum(info.file_size for info, _ in entries)
            if needed > (free := shutil.disk_usage(root).free):
                raise LesionsegError(
                    f"The disk is too full to unpack {path}: it takes {size_text(needed)} and "
                    f"{size_text(free)} are free in {root}; make room and run the same command "
                    "again, which goes on from here."
                )
            bar.begin("unpacks", needed)
            with _aside(root, home) as aside:
                for info, relative in entries:
                    _write(zip_file, info, aside / relative, bar, stop)
                there = ids_in(home, name) | ids_in(aside, name)
                if len(there) < archive.files:
                    raise InvalidDataError(
                        f"The archive {path} holds {len(there)} of {archive.files} images or "
                        "masks; delete it and run the same command again, or choose another "
                        "--mirror."
                    )
                _move_in(aside, home, entries)
    except LesionsegError:
        raise
    # RuntimeError for encrypted data and unknown methods, ValueError for places before the start
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,
        ValueError,
    ) as error:
        raise _unusable(path, f"is damaged ({error})") from error
    except OSError as error:
        # bz2's word for damaged data, and a place before the start of the file
        if error.errno in (None, errno.EINVAL):
            raise _unusable(path, f"is damaged ({error})") from error
        raise


def checked_entries(zip_file: zipfile.ZipFile, path: Path, archive: Archive) -> list[Entry]:
    """Return the files in a zip with their paths below the official folder.

    Folders, and what Macs and file managers add (``__MACOSX``, hidden files), are left out. The
    outer folder of the official name is taken off, or any other one that is around all files.

    Raises:
        InvalidDataError: if any entry could be written anywhere else, is no plain file, comes
            twice, or if all together are more than an official archive could hold.
    """
    infos = zip_file.infolist()
    most_entries = _MOST_ENTRIES_PER_FILE * archive.files + _SPARE_ENTRIES
    if len(infos) > most_entries:
        raise _unusable(path, f"holds {len(infos)} entries where {most_entries} are the most")
    most = _MOST_EXPANSION * path.stat().st_size + _SPARE_BYTES
    if (declared := sum(info.file_size for info in infos)) > most:
        raise _unusable(
            path, f"would unpack to {size_text(declared)} where {size_text(most)} are the most"
        )
    files = []
    for info in infos:
        if why := _why_unsafe(info):
            raise _unusable(path, f"has the unsafe entry {info.orig_filename!r} ({why})")
        relative = PurePosixPath(info.filename)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in relative.parts)
        if not info.is_dir() and not hidden:
            files.append((info, relative))
    files = _without_outer_folder(files, archive.folder)
    seen: set[str] = set()
    for info, relative in files:
        # Case is folded, as some file systems do; a file cannot be a folder too.
        folded = str(relative).casefold()
        if folded in seen:
            raise _unusable(path, f"has the entry {info.orig_filename!r} twice")
        seen.add(folded)
    for info, relative in files:
        if any(str(parent).casefold() in seen for parent in relative.parents):
            raise _unusable(path, f"has a file in a file, {info.orig_filename!r}")
    return files


def _without_outer_folder(files: list[Entry], folder: str) -> list[Entry]:
    outer = {relative.parts[0] for _, relative in files if len(relative.parts) > 1}
    flat = any(len(relative.parts) == 1 for _, relative in files)
    off = {folder} & outer or (outer if len(outer) == 1 and not flat else set())
    return [
        (info, PurePosixPath(*relative.parts[relative.parts[0] in off :]))
        if len(relative.parts) > 1
        else (info, relative)
        for info, relative in files
    ]


def _why_unsafe(info: zipfile.ZipInfo) -> str:
    """Why an entry must not be written; empty if it may be."""
    # The original name: zipfile cuts at a zero byte and turns the system's separators.
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "no plain file"
    if name.startswith("/"):
        return "an absolute path"
    if ".." in name.split("/"):
        return "a path that leaves the folder"
    if set(name) & set('\\:*?"<>|') or any(ord(character) < 32 for character in name):
        return "a character that file names have on some systems only"
    if not PurePosixPath(name).parts:
        return "no name"
    return ""


def _missing(entries: list[Entry], home: Path, name: Pattern[str], bar: TransferBar) -> list[Entry]:
    """The entries that the folder does not have yet; an image of another suffix counts."""
    ids = ids_in(home, name)
    missing, differing = [], []
    for info, relative in entries:
        match = name.fullmatch(relative.name) if len(relative.parts) == 1 else None
        target = home / relative
        if target.is_file() and target.stat().st_size:
            if target.stat().st_size != info.file_size:
                differing.append(relative.name)
        elif match is None or match[1].upper() not in ids:
            missing.append((info, relative))
    if differing:
        bar.say(
            f"{len(differing)} files in {home} have another length than in the archive and are "
            f"left as they are: {shorten(differing)}; delete those that are broken and run the "
            "same command again"
        )
    return missing


@contextmanager
def _aside(root: Path, home: Path) -> Iterator[Path]:
    """A hidden, empty folder on the same disk as the official one; removed in the end."""
    aside = home / ".unpacking" if home.is_dir() else root / f".{home.name}.unpacking"
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(
    zip_file: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    target: Path,
    bar: TransferBar,
    stop: threading.Event,
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    # zipfile gives no more than the declared bytes, and compares their CRC in the end.
    with zip_file.open(info) as source, target.open("wb") as file:
        while data := source.read(_CHUNK):
            if stop.is_set():
                raise Stopped
            file.write(data)
            count += len(data)
            bar.advance(len(data))
    if count != info.file_size:
        raise zipfile.BadZipFile(
            f"{info.filename} has {count} bytes and not the declared {info.file_size}"
        )


def _move_in(aside: Path, home: Path, entries: list[Entry]) -> None:
    if not home.is_dir():
        aside.rename(home)
        return
    for _, relative in entries:
        target = home / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        (aside / relative).replace(target)


def _unusable(path: Path, why: str) -> InvalidDataError:
    return InvalidDataError(
        f"The archive {path} {why}, so nothing of it was unpacked; delete it and run the same "
        "command again, or choose another --mirror."
    )
