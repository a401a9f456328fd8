"""Lists as people write them on a command line: ``32``, ``32,48``, ``gamma,clahe``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lesionseg.cli.help.annotations import Kind, kind_of
from lesionseg.cli.help.chosen import chosen_class
from lesionseg.cli.help.sources import read_class

_OPTION = re.compile(r"^--(model|data)\.(?:init_args\.)?(\w+)$")
_SIZE = Kind("", 2, False)  # for a class whose source cannot be read
_PAIR = re.compile(r"^[\[(]?\s*(\d+)\s*[,x]\s*(\d+)\s*[\])]?$")
_NUMBERS = re.compile(r"^[\d.eE+-]+$")


def with_lists(arguments: Sequence[str]) -> list[str]:
    """Write the lists among the values of the model's and the data's options as YAML.

    ``--data.size 32`` is a square; any other value without commas is a list of one item.

    Args:
        arguments: Command and its arguments.

    Example:
        >>> from lesionseg.cli.help.lists import with_lists
        >>> with_lists(["fit", "--data=ISICDataModule", "--data.augmentation=gamma,clahe"])
        ['fit', '--data=ISICDataModule', '--data.augmentation=[gamma,clahe]']
    """
    kinds: dict[str, Mapping[str, Kind]] = {}
    changed = list(arguments)
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        option = _OPTION.match(flag)
        position = index if equals else index + 1
        if option is None or position >= len(arguments):
            continue
        group, name = option.groups()
        if group not in kinds:
            kinds[group] = _kinds(chosen_class(arguments, group))
        kind = kinds[group].get(name, _SIZE if name == "size" else None)
        if kind is not None and kind.items is not None:
            written = _as_list(value if equals else arguments[position], kind, name == "size")
            changed[position] = f"{flag}={written}" if equals else written
    return changed


def _kinds(path: str | None) -> Mapping[str, Kind]:
    found = read_class(path) if path else None
    parameters = found.parameters.values() if found else ()
    return {parameter.name: kind_of(parameter.annotation) for parameter in parameters}


def _as_list(value: str, kind: Kind, is_size: bool) -> str:
    text = value.strip()
    pair = _PAIR.match(text)
    if is_size and pair:
        return f"[{pair[1]},{pair[2]}]"
    if is_size and text.isdigit():
        return f"[{text},{text}]"
    if text.startswith("(") and text.endswith(")"):
        return f"[{text[1:-1].rstrip(', ')}]"
    if not text or text[0] in "[{" or text in ("null", "None"):
        return value
    parts = [part.strip() for part in text.split(",")]
    if kind.text:  # may be the name of a file
        return value
    if len(parts) > 1 or (kind.items == 0 and not _NUMBERS.match(text)):
        return f"[{','.join(parts)}]"
    return value
