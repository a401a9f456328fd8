"""Decode once: where the stores of decoded images lie, and when one is built."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from lesionseg.data.store import Record, Store, store_bytes, write_store
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError
from lesionseg.files import atomic_path

VERSION = 3
"""Of the format and of how files are read and resized; stores of another one are built again."""

_MOST_THREADS = 16  # each holds an image at its full size
_SUFFIX = ".store"


def open_cache(
    folder: Path,
    files: Sequence[tuple[Path, Path | None]],
    size: tuple[int, int],
    read: Callable[[int, int], Record],
) -> Store:
    """Open the store of some files at one size; build it first if there is none that holds.

    A store belongs to the absolute paths of its files, in their order, and to the size. It holds
    as long as no file's length or modification time (in nanoseconds) differs; an edit that keeps
    both is not noticed. One that holds no longer, was cut off or damaged is replaced, with a line
    on stderr that says why.

    Of several processes that come at once, one builds and the others wait. The file gets its name
    when it is complete, so a build that was killed leaves nothing that could be taken for a store;
    the next one removes what it left and starts again.

    Args:
        folder: of all stores; it is made.
        files: image and mask of each row.
        size: height and width.
        read: gives the record of a row in so many channels; called in several threads.

    Raises:
        LesionsegError: if the disk has no room for it, or a file cannot be read.
    """
    count, channels = len(files), 3 + any(mask is not None for _, mask in files)
    shape = (count, channels, *size)
    names = [str(path and path.resolve()) for pair in files for path in pair]
    home = folder.resolve() / f"{size[0]}x{size[1]}-{_hash(VERSION, shape, names)[:16]}"
    key = _hash(names, [_state(path) for pair in files for path in pair])
    path = home / f"{key[:16]}{_SUFFIX}"
    attempt = partial(_open, path, key.encode(), shape)
    # A complete store needs no lock, and no right to write.
    if (store := attempt()) is not None:
        return store
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / ".lock")  # lifted by the system when its process dies
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tqdm.write(f"cache: waiting for the process that builds {path}", file=sys.stderr)
        lock.acquire()
    try:
        if (store := attempt()) is None:
            _build(path, key.encode(), shape, read)
            store = Store(path, key.encode(), shape)
    finally:
        lock.release()
    return store


def _open(path: Path, key: bytes, shape: tuple[int, int, int, int]) -> Store | None:
    try:
        return Store(path, key, shape)
    except (FileNotFoundError, InvalidDataError):
        return None


def _build(
    path: Path, key: bytes, shape: tuple[int, int, int, int], read: Callable[[int, int], Record]
) -> None:
    """Build under the lock: nobody else writes here."""
    why = " (the earlier one is cut off or damaged)" if path.exists() else ""
    for old in path.parent.glob(f"*{_SUFFIX}"):  # stores of changed files, and half-built ones
        if not why and not old.name.startswith("."):
            why = " (files have changed since the earlier one)"
        old.unlink()
    count, _, height, width = shape
    needed = store_bytes(shape)
    what = f"cache: {count} images at {height} x {width}, {_megabytes(needed)}"
    tqdm.write(f"{what}, in {path.parent}{why}", file=sys.stderr)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise _full(what, path, free)
    bar = partial(
        tqdm,
        total=count,
        desc="cache",
        unit="image",
        # a terminal sees the time pass; a file gets a line's worth every half minute
        mininterval=0.1 if sys.stderr.isatty() else 30.0,
    )
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    try:
        with atomic_path(path) as unfinished:
            write_store(unfinished, key, shape, read, threads, bar)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(what, path, shutil.disk_usage(path.parent).free) from error
        raise


def _full(what: str, path: Path, free: int) -> LesionsegError:
    return LesionsegError(
        f"The disk is too full for the {what}: {_megabytes(free)} are free in {path.parent}; make "
        "room, or choose another folder, or none, for the cache."
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _state(path: Path | None) -> tuple[int, int] | None:
    """What tells that a file has changed: its length and its modification time."""
    if path is None:
        return None
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise DatasetNotFoundError(f"The file {path} does not exist; check the path.") from None
    return stat.st_size, stat.st_mtime_ns


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
