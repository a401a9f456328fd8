"""What a command line gives before it is parsed, in its options and configuration files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from lesionseg.errors import CheckpointError

_PACKAGE = "lesionseg"  # whose classes a checkpoint may name


def given_options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option, given as ``--name value`` or ``--name=value``.

    Args:
        arguments: Command and its arguments.

    Example:
        >>> from lesionseg.cli.options import given_options
        >>> list(given_options(["fit", "--model", "ASNet", "--data.size=32"]))
        [('--model', 'ASNet'), ('--data.size', '32')]
    """
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name.startswith("-") and (equals or index + 1 < len(arguments)):
            yield name, value if equals else arguments[index + 1]


def values_of(arguments: Sequence[str], *options: str) -> list[str]:
    """Return the values that are given to an option.

    Args:
        arguments: Command and its arguments.
        *options: Names of the option, with their dashes.
    """
    return [value for name, value in given_options(arguments) if name in options]


def option_value(arguments: Sequence[str], option: str) -> Any:
    """Return the last value that is given to an option.

    Args:
        arguments: Command and its arguments.
        option: Name without dashes; a key of the top level in files that ``--config`` names.

    Returns:
        A string from the command line, any plain value from a file; None if there is none.
    """
    found = None
    for name, value in given_options(arguments):
        if name == f"--{option}":
            found = value
        elif name in ("--config", "-c"):
            inside = _load(value).get(option)
            found = found if inside is None else inside
    return found


def class_name(value: Any) -> str | None:
    """Return the class that the value of ``--model`` names, with or without its module.

    Args:
        value: As :func:`option_value` returns it: a name, or a mapping with a ``class_path``, which
            may be text in JSON.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(yaml.YAMLError):
            value = yaml.safe_load(value)
    if isinstance(value, Mapping):
        value = value.get("class_path")
    return value if isinstance(value, str) else None


def model_of(hyper_parameters: Mapping[str, Any], asked: str | None, path: str) -> dict[str, Any]:
    """Return a model's class and arguments as its checkpoint gives them, if they are safe to use.

    A class path is imported, so a checkpoint's is used only if it is a class of this package or the
    class that the user names.

    Args:
        hyper_parameters: Hyperparameters of a checkpoint.
        asked: Class that the user names; None if there is none.
        path: Path of the checkpoint, for messages.

    Returns:
        ``class_path`` and ``init_args``; empty if the checkpoint names no class, or another class
        than the user.

    Raises:
        CheckpointError: If the class is neither of this package nor named by the user, or an
            argument names a class.
    """
    arguments = dict(hyper_parameters)
    class_path = arguments.pop("_class_path", None)
    if not isinstance(class_path, str):
        return {}
    if asked is not None and asked.split(".")[-1] != class_path.split(".")[-1]:
        return {}
    if class_path.split(".")[0] != _PACKAGE:
        if asked is None:
            raise CheckpointError(
                f"{path} is of the class {class_path}, which is not of this package; name it with "
                f"--model {class_path} if you trust it."
            )
        class_path = asked
    if _names_class(arguments):
        raise CheckpointError(
            f"{path} is not used, because it names a class to import among its model's arguments."
        )
    return {"class_path": class_path, "init_args": arguments}


def _load(path: str) -> Mapping[str, Any]:
    """Read a configuration file; empty if it cannot be read, which the parser reports."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _names_class(value: Any) -> bool:
    """Return whether jsonargparse might import a class named somewhere in a value."""
    if isinstance(value, Mapping):
        return "class_path" in value or any(map(_names_class, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_names_class, value))
    return isinstance(value, str) and "class_path" in value
