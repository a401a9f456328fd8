"""The recipes that come with the package, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from lesionseg.errors import LesionsegError

_CONFIGS = files("lesionseg") / "configs"


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(
        Path(entry.name).stem for entry in _CONFIGS.iterdir() if entry.name.endswith(".yaml")
    )


def recipe_path(name: str) -> str:
    """Return the path of a recipe, or of a configuration file.

    Args:
        name: A recipe's name, or a path.

    Raises:
        LesionsegError: If there is neither.
    """
    if Path(name).is_file():
        return name
    if name in recipe_names():
        return str(_CONFIGS / f"{name}.yaml")
    raise LesionsegError(
        f"there is no configuration file {name!r} and no recipe of that name; "
        f"recipes are {', '.join(recipe_names())}."
    )
