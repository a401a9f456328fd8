"""Which model and which data a command line chooses, in so far as that needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from lesionseg.cli.help.classes import DATA_MODULES, MODELS
from lesionseg.cli.recipes import recipe_path
from lesionseg.errors import LesionsegError

KNOWN = {"model": MODELS, "data": DATA_MODULES}


def chosen_class(arguments: Sequence[str], what: str) -> str | None:
    """Return the dotted path of the class that a command line chooses.

    Args:
        arguments: Of a command of the Trainer; ``--model``, recipes and, behind both, the
            configuration beside a checkpoint are looked at.
        what: ``"model"`` or ``"data"``.

    Returns:
        None where nothing is chosen, or a name that is not known.
    """
    configs = [_read(name) for name in values_of(arguments, "--config", "-c")]
    beside = [
        _read(str(Path(name).parent.parent / "config.yaml"))
        for name in values_of(arguments, "--ckpt_path")
    ]
    given: list[Any] = [
        *(config.get(what) for config in [*beside, *configs]),
        *(_parsed(value) for value in values_of(arguments, f"--{what}")),
        *(_parsed(value) for value in values_of(arguments, f"--{what}.class_path")),
    ]
    names = [name for name in map(_class_of, given) if name]
    if not names:
        return None
    return KNOWN[what].get(names[-1], names[-1] if "." in names[-1] else None)


def values_of(arguments: Sequence[str], *options: str) -> Iterator[str]:
    """Yield the values of an option, given as ``--name value`` or ``--name=value``.

    Args:
        arguments: Of a command.
        *options: The option's names.
    """
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in options:
            if equals:
                yield value
            elif index + 1 < len(arguments):
                yield arguments[index + 1]


def _read(name: str) -> Mapping[str, Any]:
    """A configuration; empty where there is none that can be read: the parser will say so."""
    with suppress(OSError, ValueError, LesionsegError, yaml.YAMLError):
        read = yaml.safe_load(Path(recipe_path(name)).read_text(encoding="utf-8"))
        if isinstance(read, dict):
            return read
    return {}


def _parsed(value: str) -> Any:
    """A class's name, or the mapping that a user may give instead; a file of one is read."""
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
