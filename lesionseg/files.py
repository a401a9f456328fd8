"""Writing files: nothing half-written under the final name, and one process at a time."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PREFIX = ".unfinished-"
_SECONDS_TO_LOCK = 1.0  # far more than lie between making a temporary file and locking it


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path and rename it to ``path`` once the block has succeeded.

    Whatever stops the block (an error, Ctrl-C, a full disk) removes the temporary file and leaves
    an earlier file of that name as it was. Parent folders are made. What ``kill -9`` leaves is
    removed by :func:`remove_unfinished`. As with :func:`open`, a symbolic link stays and the file
    that it names is written, and an existing file keeps its permissions and its owner.

    Args:
        path: The final path.

    Yields:
        A path in the same folder with the same suffix, to be written.
    """
    path = Path(path)
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
