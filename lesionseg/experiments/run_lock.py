"""A results folder belongs to one command with its arguments, and to one process at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lesionseg.errors import LesionsegError, shorten
from lesionseg.files import atomic_path, remove_unfinished


@contextmanager
def claimed(folder: Path, settings: dict[str, object], file: str) -> Iterator[None]:
    """Hold a results folder, and note in it what makes its results.

    Args:
        folder: Of the results; it is made.
        settings: Plain values that a second run must have in common with the first, once there
            are scores or checkpoints; before that they may be corrected.
        file: Name of the note, a JSON file.

    Raises:
        LesionsegError: Another process holds the folder, its note has other settings, or it has no
            note and holds other files; the message says which.
    """
    from filelock import FileLock, Timeout  # a lock that the system lifts when its process dies

    folder.mkdir(parents=True, exist_ok=True)
    others = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    if others and file not in others:
        raise LesionsegError(
            f"{folder} holds other files ({shorten(others)}) and no {file}; give a new or empty "
            "folder as --output, so that none of them is overwritten."
        )
    try:
        held = FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout as error:
        raise LesionsegError(
            f"another process is at work in {folder}; wait for it, or give another --output."
        ) from error
    with held:
        remove_unfinished(folder, deep=True)
        _note(folder / file, settings)
        yield


def _note(path: Path, settings: dict[str, object]) -> None:
    if path.is_file():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise LesionsegError(
                f"{path} cannot be read; give another --output, or delete the file if it is of no "
                "other run."
            ) from error
        same = there == json.loads(json.dumps(settings))
        if not same and _has_results(path.parent):
            differing = [
                key for key in {**there, **settings} if there.get(key) != settings.get(key)
            ]
            raise LesionsegError(
                f"{path.parent} holds results of other settings ({', '.join(differing)} differ; "
                f"see {path}); give another --output, or repeat the command as it was to go on."
            )
        if same:
            return
    with atomic_path(path) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _has_results(folder: Path) -> bool:
    return any(next(folder.rglob(name), None) for name in ("scores.csv", "*.ckpt"))
