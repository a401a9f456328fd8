"""Which model and which data a command line chooses, as far as that is known without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from lesionseg.cli.help.classes import DATA_MODULES, MODELS
from lesionseg.cli.options import values_of
from lesionseg.cli.recipes import recipe_path
from lesionseg.errors import LesionsegError

KNOWN = {"model": MODELS, "data": DATA_MODULES}
"""Known classes of ``--model`` and ``--data`` by name."""


def chosen_class(arguments: Sequence[str], option: str) -> str | None:
    """Return the dotted path of the class that a command line chooses.

    Args:
        arguments: Command of the Trainer and its arguments. ``--model`` or ``--data`` comes before
            recipes, and these before the configuration beside a checkpoint.
        option: ``"model"`` or ``"data"``.

    Returns:
        None where nothing is chosen, or an unknown name.

    Example:
        >>> from lesionseg.cli.help.chosen import chosen_class
        >>> chosen_class(["fit", "--config=quickstart"], "model")
        'lesionseg.models.asnet.ASNet'
    """
    configs = [_read(name) for name in values_of(arguments, "--config", "-c")]
    beside = [
        _read(str(Path(name).parent.parent / "config.yaml"))
        for name in values_of(arguments, "--ckpt_path")
    ]
    given: list[Any] = [
        *(config.get(option) for config in [*beside, *configs]),
        *(_parsed(value) for value in values_of(arguments, f"--{option}")),
        *(_parsed(value) for value in values_of(arguments, f"--{option}.class_path")),
    ]
    names = [name for name in map(_class_of, given) if name]
    if not names:
        return None
    return KNOWN[option].get(names[-1], names[-1] if "." in names[-1] else None)


def _read(name: str) -> Mapping[str, Any]:
    """Read a configuration; empty where it cannot be read, which the parser reports."""
    with suppress(OSError, ValueError, LesionsegError, yaml.YAMLError):
        content = yaml.safe_load(Path(recipe_path(name)).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _parsed(value: str) -> Any:
    """Return a class's name, or the mapping that a user may give instead, inline or as a file."""
    with suppress(yaml.YAMLError):
        parsed = yaml.safe_load(value)
        if isinstance(parsed, dict):
            return parsed
    if value.endswith((".yaml", ".yml", ".json")):
        return _read(value)
    return value


def _class_of(given: Any) -> str | None:
    name = given.get("class_path") if isinstance(given, Mapping) else given
    return name if isinstance(name, str) else None
