"""Decode once: where the stores of decoded images lie, and when one is built."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from lesionseg.data.contents import Memo, file_states
from lesionseg.data.io.mask_values import OFFICIAL, MaskRule
from lesionseg.data.store import Record, Shape, Store, store_bytes, write_store
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.files import atomic_path, one_at_a_time
from lesionseg.metrics.official import GRAY_THRESHOLD

VERSION = 4
"""Of the format and of how files are read and resized; stores of another one are built again."""

_THREADS = min(os.cpu_count() or 1, 16)  # each holds an image at its full size
_SUFFIX = ".store"


def open_cache(
    folder: Path,
    files: Sequence[tuple[Path, Path | None]],
    size: tuple[int, int],
    read: Callable[[int, int], Record],
    rule: MaskRule = OFFICIAL,
) -> Store:
    """Open the store of some files at one size; build it first if there is none.

    A store belongs to the content of its files, in their order, and to the size: a copy of the
    files elsewhere shares it, and a file that was edited or replaced makes another. Contents are
    known by SHA-256; a file is read for it once, and again when its length or modification time (in
    nanoseconds) has changed, so that only an edit that keeps both is not noticed. A store that was
    cut off or damaged is replaced, and one whose files have changed is removed unless other files
    have its content; a line on stderr says why.

    Of several processes that come at once, one builds and the others wait. The file gets its name
    when it is complete, so a build that was killed leaves nothing that could be taken for a store;
    the next one removes what it left and starts again.

    Args:
        folder: of all stores; it is made.
        files: image and mask of each row.
        size: height and width.
        read: gives the record of a row in so many channels; called in several threads.
        rule: what ``read`` takes for lesion in the masks.

    Raises:
        LesionsegError: if the disk has no room for it, nothing can be kept in the folder, or a
            file cannot be read.
    """
    try:
        return _open(folder.resolve(), files, size, read, rule)
    except OSError as error:
        # not what the images' own files are to blame for
        if error.filename is None or not Path(error.filename).is_relative_to(folder.resolve()):
            raise
        raise LesionsegError(
            f"The cache cannot be kept in {folder} ({error.strerror}); choose another folder for "
            "it, or none."
        ) from error


def _open(
    folder: Path,
    files: Sequence[tuple[Path, Path | None]],
    size: tuple[int, int],
    read: Callable[[int, int], Record],
    rule: MaskRule = OFFICIAL,
) -> Store:
    shape = (len(files), 3 + any(mask is not None for _, mask in files), *size)
    rows = [tuple(path and path.resolve() for path in pair) for pair in files]
    states = file_states(path for row in rows for path in row if path is not None)
    memo_path = folder / f"{_hash(list(states))[:16]}.json"

    def attempt() -> Store | None:
        try:
            return Store(
                folder / _name(memo, rows, shape, rule), _key(memo, rows, shape, rule), shape
            )
        except (FileNotFoundError, InvalidDataError):
            return None

    memo = Memo.load(memo_path)
    # A complete store needs no lock, and no right to write.
    if not memo.changed(states) and (store := attempt()) is not None:
        return store
    folder.mkdir(parents=True, exist_ok=True)
    waiting = f"cache: waiting for the process that builds in {folder}"
    with one_at_a_time(folder / ".lock", lambda: tqdm.write(waiting, file=sys.stderr)):
        memo = Memo.load(memo_path)  # another process may have done it meanwhile
        memo.renew(states, _THREADS)
        name, key = _name(memo, rows, shape, rule), _key(memo, rows, shape, rule)
        outdated = memo.stores.get(str(shape), name)
        store = attempt()
        if store is None:
            _build(folder / name, key, shape, read, changed=outdated != name)
            store = Store(folder / name, key, shape)
        memo.stores[str(shape)] = name
        memo.save(memo_path)
        if not any(outdated in Memo.load(one).stores.values() for one in folder.glob("*.json")):
            (folder / outdated).unlink(missing_ok=True)
    return store


def _key(memo: Memo, rows: Sequence[Sequence[Path | None]], shape: Shape, rule: MaskRule) -> bytes:
    """What a store is made of."""
    contents = [path and memo.digests[str(path)] for row in rows for path in row]
    usual = rule.threshold == GRAY_THRESHOLD and rule.checked
    made_by = () if usual else (rule.threshold, rule.checked)
    return _hash(VERSION, shape, contents, *made_by).encode()


def _name(memo: Memo, rows: Sequence[Sequence[Path | None]], shape: Shape, rule: MaskRule) -> str:
    return f"{shape[2]}x{shape[3]}-{_key(memo, rows, shape, rule).decode()[:16]}{_SUFFIX}"


def _build(
    path: Path, key: bytes, shape: Shape, read: Callable[[int, int], Record], changed: bool
) -> None:
    """Build under the lock: nobody else writes here."""
    why = " (files have changed since the earlier one)" if changed else ""
    if path.exists():
        why = " (the earlier one is cut off or damaged)"
        path.unlink()
    for left in path.parent.glob(f".*{_SUFFIX}"):  # by builds that were killed
        left.unlink()
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
    try:
        with atomic_path(path) as unfinished:
            write_store(unfinished, key, shape, read, _THREADS, bar)
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


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
