"""Writing files: whole or not at all, one process at a time, and nothing of anybody else's lost."""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lesionseg.errors import LesionsegError, shorten

if sys.platform != "win32":
    import fcntl

MARK = "written by lesionseg"
"""Stands in every picture, page, plot and zip that a command writes, where its format has room."""

#: Of score tables and measurements, which have no such room.
_STARTS = (b"image,tp,fp,fn,tn,", b'{\n  "overall": ', b"image,width,height,lesion_pixels,")
_MODELS = {".onnx", ".pt2", ".pte"}  # the package's name stands somewhere in those it exported
_NEAR = 4096  # bytes from either end of a file within which its mark stands

_PREFIX = ".unfinished-"
_SECONDS_TO_LOCK = 1.0  # far more than lie between making a temporary file and locking it


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path and rename it to ``path`` once the block has succeeded.

    Whatever stops the block (an error, Ctrl-C, a full disk) removes the temporary file and leaves
    an earlier file of that name as it was. Parent folders are made. What ``kill -9`` leaves is
    removed by :func:`remove_unfinished`. As with :func:`open`, a symbolic link stays and the file
    that it names is written, and an existing file keeps its permissions and its owner.

    Devices and pipes, such as ``/dev/null`` and ``/dev/stdout``, are not replaced but written to.

    Args:
        path: The final path.

    Yields:
        A path in the same folder with the same suffix, to be written.

    Raises:
        LesionsegError: If ``path`` is a disk or another block device.
    """
    path = Path(path)
    if _is_stream(path):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder, f"output{path.suffix}")
            yield temporary
            with temporary.open("rb") as source, path.open("ab") as stream:
                shutil.copyfileobj(source, stream)
        return
    if path.is_symlink():
        path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX, suffix=path.suffix)
    temporary = Path(name)
    try:
        with _held(descriptor):
            yield temporary
            _copy_permissions(path, temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_outputs(
    paths: Iterable[Path],
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
    mend: str = "give another place for the results, or --overwrite",
) -> None:
    """Refuse to write over files that are not this package's own results.

    A command calls this before it starts to work. A file may be replaced if it does not exist, is
    empty, carries :data:`MARK`, or is a score table; devices and pipes are no files. What the
    command reads is never replaced, whoever wrote it and whatever ``overwrite`` says.

    Args:
        paths: What will be written.
        inputs: What the command reads; files that do not exist do not count.
        overwrite: Also replace what others have written.
        mend: What the user can do about it.

    Raises:
        LesionsegError: If a path is a folder, an input, or was written by anybody else; the message
            names the files.
    """
    read = {place for one in inputs if (place := _place(one)) is not None}
    also_read, foreign = [], []
    for path in paths:
        if path.is_dir():
            raise LesionsegError(f"{path} is a folder; give the file's own name.")
        place = _place(path)
        if place is None or _is_stream(path):
            continue
        if place in read:
            also_read.append(str(path))
        elif not overwrite and not _is_ours(path):
            foreign.append(str(path))
    if also_read:
        raise LesionsegError(
            f"the results would overwrite what this command reads: {shorten(also_read)}; give "
            "another place for the results."
        )
    if foreign:
        raise LesionsegError(
            f"the results would overwrite {len(foreign)} "
            f"file{'s' if len(foreign) > 1 else ''} that lesionseg did not write: "
            f"{shorten(foreign)}; {mend}."
        )


def _is_ours(path: Path) -> bool:
    try:
        file = path.open("rb")
    except OSError:  # it cannot be read, so it cannot be told
        return False
    with file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return True
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if path.suffix.lower() in _MODELS:
                return content.find(b"lesionseg") >= 0
            ends = content[:_NEAR] + content[max(0, size - _NEAR) :]
    return MARK.encode() in ends or ends.startswith(_STARTS)


def _place(path: Path) -> tuple[int, int] | None:
    """What tells a file from all others, by whatever name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_stream(path: Path) -> bool:
    """Whether a path is written to, not replaced: a device, a pipe, or a descriptor by its name."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    if stat.S_ISBLK(mode):
        raise LesionsegError(f"{path} is a block device; give a file.")
    if str(path).startswith(("/dev/std", "/dev/fd/", "/proc/")):  # maybe a file that is open
        return not stat.S_ISDIR(mode)
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def remove_unfinished(folder: Path | str, deep: bool = False) -> None:
    """Removes temporary files of killed processes from a folder.

    A process holds a lock on the file that it writes, and the system lifts it however the process
    ends, so files that are being written stay. Where there are no locks (Windows, some network
    file systems) nothing is removed.

    Args:
        folder: May be absent.
        deep: Also from its sub-folders.
    """
    for path in Path(folder).glob(f"{'**/' if deep else ''}{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _SECONDS_TO_LOCK and _is_abandoned(path):
                path.unlink()


@contextmanager
def one_at_a_time(lock: Path, say_waiting: Callable[[], None]) -> Iterator[None]:
    """Lets one process at a time into the block; others wait, and one that is killed lets go.

    Args:
        lock: A file for this purpose; it is made, and stays.
        say_waiting: Called before a wait.
    """
    from filelock import FileLock, Timeout  # few commands need it

    held = FileLock(lock, mode=0o666)  # others who may write in its folder may hold it too
    try:
        held.acquire(timeout=0)
    except Timeout:
        say_waiting()
        held.acquire()
    try:
        yield
    finally:
        held.release()


if sys.platform == "win32":

    @contextmanager
    def _held(descriptor: int) -> Iterator[None]:
        os.close(descriptor)  # an open file cannot be renamed there
        yield

    def _is_abandoned(path: Path) -> bool:
        return False

else:

    @contextmanager
    def _held(descriptor: int) -> Iterator[None]:
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    def _is_abandoned(path: Path) -> bool:
        """Whether nobody holds its lock; OSError where that cannot be told."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
        return True


def _copy_permissions(source: Path, target: Path) -> None:
    """Give a new file the mode and owner of an existing one, or those of any other new file."""
    try:
        status = source.stat()
    except FileNotFoundError:
        target.chmod(0o666 & ~_umask())
        return
    if sys.platform != "win32":
        with suppress(OSError):  # only root may give files away
            os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))


def _umask() -> int:
    """The process's umask; reading it is only possible by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
