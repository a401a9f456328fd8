"""Reserve a results folder for one command with its settings, and for one process at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lesionseg.errors import LesionsegError, shorten
from lesionseg.files import atomic_path, file_lock, remove_unfinished


@contextmanager
def locked_folder(folder: Path, settings: dict[str, object], file: str) -> Iterator[None]:
    """Hold a results folder within the block, and save the settings of its results in it.

    Args:
        folder: Results folder; created if absent.
        settings: Plain values, which a later run must repeat once there are scores or
            checkpoints.
        file: Name of the JSON file of settings.

    Raises:
        LesionsegError: If another process holds the folder, it holds results of other settings, or
            it holds other files and no settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if others and file not in others:
        raise LesionsegError(
            f"{folder} holds other files ({shorten(others)}) and no {file}; give a new or empty "
            "folder as --output, so that none of them is overwritten."
        )
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(folder / ".lock"))
        except TimeoutError as error:
            raise LesionsegError(
                f"another process is running in {folder}; wait for it, or give another --output."
            ) from error
        remove_unfinished(folder, deep=True)
        _save_settings(folder / file, settings)
        yield


def _save_settings(path: Path, settings: dict[str, object]) -> None:
    if path.is_file():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise LesionsegError(
                f"{path} cannot be read; give another --output, or delete the file if no run uses "
                "it."
            ) from error
        same = earlier == json.loads(json.dumps(settings))
        if not same and _has_results(path.parent):
            differing = [
                key for key in {**earlier, **settings} if earlier.get(key) != settings.get(key)
            ]
            raise LesionsegError(
                f"{path.parent} holds results of other settings ({', '.join(differing)} differ; "
                f"see {path}); give another --output, or repeat the earlier command to resume it."
            )
        if same:
            return
    with atomic_path(path) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _has_results(folder: Path) -> bool:
    return any(next(folder.rglob(name), None) for name in ("scores.csv", "*.ckpt"))
