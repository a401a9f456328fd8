"""Writing files so that nothing half-written is ever left under the final name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Gives a temporary path and renames it to ``path`` once the block has succeeded.

    Whatever stops the block (an error, Ctrl-C, a full disk) removes the temporary file and leaves
    an earlier file of that name as it was. Parent folders are made.

    Args:
        path: The final path.

    Yields:
        A path in the same folder with the same suffix, to be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's umask; reading it is only possible by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
