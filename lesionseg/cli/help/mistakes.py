"""Errors about options of the Trainer's commands, with a suggestion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lesionseg.cli.help.chosen import KNOWN, chosen_class
from lesionseg.cli.help.classes import TRAINER_DEFAULTS
from lesionseg.cli.help.sections import Section, sections_of
from lesionseg.cli.help.sources import read_class
from lesionseg.cli.help.suggestions import hint, refused_option
from lesionseg.cli.options import values_of

_NO_LIST = re.compile(r"^(--(?:model|data)\.\w+): [Ee]xpected .*(?:tuple|list|Sequence)\b")
#: Options of the Trainer that take a class, and the package of Lightning's classes.
_NESTED = {
    "callbacks": "lightning.pytorch.callbacks",
    "logger": "lightning.pytorch.loggers",
    "profiler": "lightning.pytorch.profilers",
    "strategy": "lightning.pytorch.strategies",
}


def explained(message: str, arguments: Sequence[str]) -> str:
    """Return an error message with the option that was probably meant, or what an option takes.

    Args:
        message: A sentence of jsonargparse or argparse.
        arguments: Command and its arguments.

    Example:
        >>> from lesionseg.cli.help.mistakes import explained
        >>> arguments = ["fit", "--model=ASNet", "--model.lr=1"]
        >>> explained("--model: Option 'lr' is not accepted", arguments)
        "--model: Option 'lr' is not accepted; did you mean --model.learning_rate?"
    """
    no_list = _NO_LIST.match(message)
    if no_list:
        return _expected(no_list[1], arguments) or message
    wrong = refused_option(message)
    if wrong is None:
        return message
    group = re.match(r"--trainer\.(\w+)\.", wrong)
    if group and group[1] in _NESTED:
        return message + hint(wrong, _nested_options(group[1], arguments))
    return message + hint(wrong, options_of(arguments))


def options_of(arguments: Sequence[str]) -> list[str]:
    """Return all long options that a command line could have, with their dashes.

    Args:
        arguments: Command and its arguments.
    """
    found = [
        flag
        for section in _sections(arguments)
        for option in section.options
        for flag in option.flags.split(", ")
    ]
    for group, known in KNOWN.items():
        if chosen_class(arguments, group) is None:  # those of any class
            classes = [cls for path in known.values() if (cls := read_class(path))]
            found += [f"--{group}.{name}" for cls in classes for name in cls.parameters]
    return found


def _sections(arguments: Sequence[str]) -> list[Section]:
    chosen = [chosen_class(arguments, group) for group in KNOWN]
    return sections_of(arguments[0], *chosen)


def _nested_options(group: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the options of the classes that are given to the Trainer, else of the default class."""
    flag = f"--trainer.{group}"
    names = values_of(arguments, flag, f"{flag}+", f"{flag}.class_path")
    default = TRAINER_DEFAULTS.get(f"trainer.{group}")
    if default and not names:
        names = [default["class_path"]]
    for name in names:
        found = read_class(name if "." in name else f"{_NESTED[group]}.{name}")
        for parameter in found.parameters if found else ():
            yield f"{flag}.{parameter}"


def _expected(flag: str, arguments: Sequence[str]) -> str | None:
    name = flag.rpartition(".")[2]
    given = values_of(arguments, flag, flag.replace(f".{name}", f".init_args.{name}"))
    for section in _sections(arguments):
        for option in section.options:
            if option.flags == flag:
                got = f", got {given[-1]}" if given else ""
                return f"{flag}: expected {option.metavar}{got}"
    return None
