"""The parser of the small commands, which suggests what a misspelled option was meant to be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from lesionseg.cli.help.suggestions import closest_options, hint, unknown_options


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser with suggestions and without abbreviations.

    Options have hyphens; their spelling with underscores is accepted too.

    Example:
        >>> from lesionseg.cli.help.parser import CommandParser
        >>> parser = CommandParser(prog="lesionseg cross-validate")
        >>> _ = parser.add_argument("--num-folds", type=int)
        >>> parser.parse_args(["--num_folds=3"]).num_folds
        3
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            allow_abbrev=False,  # passed-on arguments may begin like a command's own options
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )
        self._given: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as usual, with hyphens for underscores in the names of options."""
        self._given = self._hyphenated(list(sys.argv[1:] if args is None else args))
        return super().parse_known_args(self._given, namespace)

    def _hyphenated(self, arguments: Sequence[str]) -> list[str]:
        end = arguments.index("--") if "--" in arguments else len(arguments)
        aliases = {
            f"--{flag[2:].replace('-', '_')}": flag for flag in self.flags if "-" in flag[2:]
        }
        changed = []
        for argument in arguments[:end]:
            name, equals, value = argument.partition("=")
            changed.append(f"{aliases.get(name, name)}{equals}{value}")
        return [*changed, *arguments[end:]]

    @property
    def flags(self) -> list[str]:
        """All options, with their dashes."""
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Exit; a misspelled option is reported before an argument missing because of it."""
        for wrong in unknown_options(self._given, self.flags):
            if closest_options(wrong, self.flags):
                message = f"unrecognized arguments: {wrong}{hint(wrong, self.flags)}"
                break
        super().error(message)

    def refuse_misspelled(self, passed_on: Sequence[str], command: str) -> None:
        """Exit with an error where an option that is passed on is no option of that command.

        Only names without a dot are checked; the others depend on the model and the data.

        Args:
            passed_on: Arguments for the other command.
            command: One of the Trainer's commands.
        """
        from lesionseg.cli.help.mistakes import options_of

        theirs = options_of([command, *passed_on])
        groups = {f"--{flag.strip('-').partition('.')[0]}" for flag in theirs}
        for wrong in unknown_options(passed_on, {*theirs, *groups}):
            if "." not in wrong:
                close = hint(wrong, [*self.flags, *theirs])
                super().error(f"unrecognized arguments: {wrong}{close}")
