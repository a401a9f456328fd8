"""Decode images once: find the store of decoded images of a data set, or build it."""

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import Any

from tqdm import tqdm

from lesionseg.data.io.mask_values import OFFICIAL, MaskRule
from lesionseg.data.store import BatchShape, Store, StoredSample, write_store
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError
from lesionseg.files import atomic_path, file_lock, size_text

VERSION = 5
"""Of the format and of how files are decoded and resized; other versions are built again."""

_THREADS = min(os.cpu_count() or 1, 16)  # each holds an image at its full size
_SUFFIX = ".store"

FileStates = dict[str, tuple[int, int]]
"""Size in bytes and modification time in nanoseconds of files, by absolute path."""


def open_cache(
    folder: Path,
    files: Sequence[tuple[Path, Path | None]],
    size: tuple[int, int],
    read: Callable[[int, int], StoredSample],
    rule: MaskRule = OFFICIAL,
) -> Store:
    """Open the store of image files at one size; build it first if there is none.

    The name of a store is a hash of the paths, sizes and modification times of its files in their
    order, of the network's size and of the mask rule: an edited file gives another store, and the
    outdated store is removed. A JSON file beside it lists the files and the original sizes of
    the images; it is written last, so a store without it is incomplete and is built again.

    Of several processes, the first builds and the others wait.

    Args:
        folder: Folder of all stores; created if absent.
        files: Image and mask of each row.
        size: Height and width.
        read: Returns the sample of a row with a number of channels; called in several threads.
        rule: Rule by which ``read`` binarizes masks.

    Raises:
        LesionsegError: If the disk or the folder has no room for it, or a file cannot be read.
    """
    try:
        return _open(folder.resolve(), files, size, read, rule)
    except OSError as error:
        # Not errors of the images' own files.
        if error.filename is None or not Path(error.filename).is_relative_to(folder.resolve()):
            raise
        raise LesionsegError(
            f"the cache cannot be written to {folder} ({error.strerror}); choose another folder "
            "for it, or none."
        ) from error


def _open(
    folder: Path,
    files: Sequence[tuple[Path, Path | None]],
    size: tuple[int, int],
    read: Callable[[int, int], StoredSample],
    rule: MaskRule,
) -> Store:
    shape = (len(files), 3 + any(mask is not None for _, mask in files), *size)
    rows = [[None if path is None else str(path.absolute()) for path in pair] for pair in files]
    states = _file_states(rows)
    settings = (VERSION, shape, rule.threshold, rule.checked)
    key = hashlib.sha256(repr((settings, rows, states)).encode()).hexdigest()[:16]
    path = folder / f"{size[0]}x{size[1]}-{key}{_SUFFIX}"
    if (store := _finished(path, shape)) is not None:  # needs no lock and no right to write
        return store
    folder.mkdir(parents=True, exist_ok=True)
    waiting = f"cache: waiting for the process that builds in {folder}"
    with file_lock(folder / ".lock", lambda: tqdm.write(waiting, file=sys.stderr)):
        if (store := _finished(path, shape)) is not None:  # another process has built it meanwhile
            return store
        outdated = _outdated(folder, settings, list(states))
        why = " (files have changed)" if outdated else ""
        if path.exists():
            why = " (the earlier file is incomplete or damaged)"
        _clear(folder, [path, *outdated])
        sizes = _build(path, shape, read, why)
        sidecar = {"settings": settings, "files": states, "sizes": sizes}
        with atomic_path(path.with_suffix(".json")) as unfinished:
            unfinished.write_text(json.dumps(sidecar), encoding="utf-8")
    return Store(path, shape, sizes)


def _file_states(rows: Sequence[Sequence[str | None]]) -> FileStates:
    """Return the states of all files.

    Raises:
        DatasetNotFoundError: If a file does not exist.
        InvalidDataError: If a path is a folder, a pipe or a device.
    """
    states = {}
    for name in (name for row in rows for name in row if name is not None):
        try:
            status = Path(name).stat()
        except FileNotFoundError:
            raise DatasetNotFoundError(f"the file {name} does not exist; check the path.") from None
        if not S_ISREG(status.st_mode):
            raise InvalidDataError(f"{name} is not a regular file; give the file itself.")
        states[name] = status.st_size, status.st_mtime_ns
    return states


def _load_sidecar(path: Path) -> dict[str, Any]:
    """Read the JSON file of a store; empty if it is absent, damaged or of another kind."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) and "sizes" in content else {}


def _finished(path: Path, shape: BatchShape) -> Store | None:
    """Return the store of a path if it is complete."""
    sidecar = _load_sidecar(path.with_suffix(".json"))
    if not sidecar or not path.is_file() or path.stat().st_size != prod(shape):
        return None
    return Store(path, shape, sidecar["sizes"])


def _outdated(folder: Path, settings: tuple[Any, ...], names: list[str]) -> list[Path]:
    """Return the stores of the same files and settings, with older states or of another version."""
    same = json.loads(json.dumps(settings[1:]))
    found = []
    for path in folder.glob("*x*.json"):
        sidecar = _load_sidecar(path)
        if sidecar.get("settings", [])[1:] == same and list(sidecar["files"]) == names:
            found.append(path.with_suffix(_SUFFIX))
    return found


def _clear(folder: Path, stores: list[Path]) -> None:
    """Remove stores, and what killed builds have left; called under the lock."""
    for path in stores:
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    for path in folder.glob(f".*{_SUFFIX}"):
        path.unlink()


def _build(
    path: Path, shape: BatchShape, read: Callable[[int, int], StoredSample], why: str
) -> list[tuple[int, int]]:
    """Write a store and return the original sizes of its images."""
    count, _, height, width = shape
    what = f"cache: {count} images at {height} x {width}, {size_text(prod(shape))}"
    tqdm.write(f"{what}, in {path.parent}{why}", file=sys.stderr)
    free = shutil.disk_usage(path.parent).free
    if free < prod(shape):
        raise _full(what, path, free)
    bar = partial(
        tqdm,
        total=count,
        desc="cache",
        unit="image",
        # A log file gets a line every half minute.
        mininterval=0.1 if sys.stderr.isatty() else 30.0,
    )
    try:
        with atomic_path(path) as unfinished:
            return write_store(unfinished, shape, read, _THREADS, bar)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(what, path, shutil.disk_usage(path.parent).free) from error
        raise


def _full(what: str, path: Path, free: int) -> LesionsegError:
    return LesionsegError(
        f"the disk is too full for the {what}: {size_text(free)} are free in {path.parent}; make "
        "room, or choose another folder, or none, for the cache."
    )
