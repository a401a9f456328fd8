"""Write files atomically, lock them, and never overwrite files of other programs."""

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
"""Marks every picture, page, plot and zip archive that a command writes."""

#: First bytes of score tables and measures, whose formats have no room for a mark.
_STARTS = (
    *(b"image,tp,fp,fn,tn,", b'{\n  "overall": ', b"image,width,height,lesion_pixels,"),
    *(b"image,hausdorff_95,", b"bin_low,bin_high,pixels,"),
)
_MODELS = {".onnx", ".pt2", ".pte"}  # exported models hold the name of this package somewhere
_NEAR = 4096  # bytes at either end of a file that are searched for the mark

_PREFIX = ".unfinished-"
_SECONDS_TO_LOCK = 1.0  # far more than pass between creating a temporary file and locking it


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path and rename it to ``path`` once the block has succeeded.

    If the block fails (an error, Ctrl-C, a full disk), the temporary file is removed and an
    earlier file of that name is unchanged. What ``kill -9`` leaves is removed by
    :func:`remove_unfinished`. Parent folders are created. As with :func:`open`, symbolic links are
    followed, and an existing file keeps its permissions and owner. Devices and pipes, such as
    ``/dev/null`` and ``/dev/stdout``, are written to instead of replaced.

    Args:
        path: Final path.

    Yields:
        A path in the same folder with the same suffix.

    Raises:
        LesionsegError: If ``path`` is a block device, such as a disk.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from lesionseg.files import atomic_path
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "scores.csv")
        ...     with atomic_path(path) as temporary:
        ...         _ = temporary.write_text("image,dice")
        ...         print(path.exists())
        ...     path.read_text()
        False
        'image,dice'
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
    fix: str = "choose another output path, or use --overwrite",
) -> None:
    """Refuse to overwrite files that are not results of this package.

    Commands call this before they start. A file may be replaced if it does not exist, is empty,
    holds :data:`MARK`, or is a score table; devices and pipes are always written to. A file that
    the command reads is never replaced.

    Args:
        paths: Files that will be written.
        inputs: Files that the command reads; absent ones are ignored.
        overwrite: Also replace files of other programs.
        fix: What the user can do, for the message.

    Raises:
        LesionsegError: If a path is a folder, an input, or a file of another program.
    """
    read = {identity for path in inputs if (identity := _identity(path)) is not None}
    also_read, foreign = [], []
    for path in paths:
        if path.is_dir():
            raise LesionsegError(f"{path} is a folder; give the path of a file.")
        identity = _identity(path)
        if identity is None or _is_stream(path):
            continue
        if identity in read:
            also_read.append(str(path))
        elif not overwrite and not _is_ours(path):
            foreign.append(str(path))
    if also_read:
        raise LesionsegError(
            f"the results would overwrite what this command reads: {shorten(also_read)}; "
            "choose another output path."
        )
    if foreign:
        raise LesionsegError(
            f"the results would overwrite {len(foreign)} "
            f"file{'s' if len(foreign) > 1 else ''} that lesionseg did not write: "
            f"{shorten(foreign)}; {fix}."
        )


def _is_ours(path: Path) -> bool:
    try:
        file = path.open("rb")
    except OSError:
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


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what all names of a file have in common; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_stream(path: Path) -> bool:
    """Return whether a path is a device, a pipe or the name of a descriptor."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    if stat.S_ISBLK(mode):
        raise LesionsegError(f"{path} is a block device; give a file.")
    if str(path).startswith(("/dev/std", "/dev/fd/", "/proc/")):  # perhaps an open file
        return not stat.S_ISDIR(mode)
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def remove_unfinished(folder: Path | str, deep: bool = False) -> None:
    """Remove temporary files of killed processes from a folder.

    A process holds a lock on the file that it writes, which the system releases however the
    process ends, so files that are being written stay. Where there are no locks (Windows, some
    network file systems) nothing is removed.

    Args:
        folder: Folder, which need not exist.
        deep: Also search its sub-folders.
    """
    for path in Path(folder).glob(f"{'**/' if deep else ''}{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _SECONDS_TO_LOCK and _is_abandoned(path):
                path.unlink()


@contextmanager
def file_lock(path: Path, on_wait: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold a lock file within the block; the system releases it however the process ends.

    Args:
        path: Lock file; created, and left in place.
        on_wait: Called before waiting for another process that holds it; None does not wait.

    Raises:
        TimeoutError: If another process holds the lock and ``on_wait`` is None.
        OSError: If the file system has no locks.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from lesionseg.files import file_lock
        >>> with TemporaryDirectory() as folder, file_lock(Path(folder, ".lock")):
        ...     with file_lock(Path(folder, ".lock")):
        ...         pass
        Traceback (most recent call last):
        filelock...Timeout: The file lock '...' could not be acquired.
    """
    from filelock import FileLock, Timeout  # few commands need it

    lock = FileLock(path, mode=0o666)  # so that all users of a shared folder can hold it
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait is None:
            raise
        on_wait()
        lock.acquire()
    except NotImplementedError as error:
        raise OSError(f"no file locks: {path}") from error
    try:
        yield
    finally:
        lock.release()


def size_text(count: float) -> str:
    """Return a number of bytes as text.

    Example:
        >>> from lesionseg.files import size_text
        >>> size_text(11_165_358_566)
        '11.2 GB'
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} bytes"


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
            with suppress(OSError):  # some file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    def _is_abandoned(path: Path) -> bool:
        """Return whether no process holds its lock; OSError where that is unknown."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
        return True


def _copy_permissions(source: Path, target: Path) -> None:
    """Give a new file the mode and owner of an existing file, or else the default mode."""
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
    """Return the umask of the process, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
