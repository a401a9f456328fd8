"""The parser of the small commands, which tells what an unknown option was meant to be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from lesionseg.cli.help.suggestions import closest_options, hint, unknown_options


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser without abbreviations and with hints."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            allow_abbrev=False,  # what a command passes on may begin like its own options
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )
        self._given: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as usual and remember what was given."""
        self._given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    @property
    def flags(self) -> list[str]:
        """All options, with their dashes."""
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Exit; a misspelled option comes before what is missing because of it."""
        for wrong in unknown_options(self._given, self.flags):
            if closest_options(wrong, self.flags):
                message = f"unrecognized arguments: {wrong}{hint(wrong, self.flags)}"
                break
        super().error(message)

    def refuse_misspelled(self, passed_on: Sequence[str], command: str) -> None:
        """Exit with an error where an option that is passed on is no option of that command.

        Only names without a dot are looked at: others depend on the model and the data.

        Args:
            passed_on: Arguments for the other command.
            command: That command, one of the Trainer's.
        """
        from lesionseg.cli.help.mistakes import options_of

        theirs = options_of([command, *passed_on])
        groups = {f"--{flag.strip('-').partition('.')[0]}" for flag in theirs}
        for wrong in unknown_options(passed_on, {*theirs, *groups}):
            if "." not in wrong:
                close = hint(wrong, [*self.flags, *theirs])
                super().error(f"unrecognized arguments: {wrong}{close}")
