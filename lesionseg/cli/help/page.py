"""``lesionseg fit --help`` and the help of the other commands of the Trainer."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence

from lesionseg.cli.help.chosen import KNOWN, chosen_class
from lesionseg.cli.help.classes import DATA_MODULES, MODELS
from lesionseg.cli.help.sections import Section, class_section, sections_of
from lesionseg.cli.options import values_of
from lesionseg.cli.recipes import recipe_names


def wants_help(arguments: Sequence[str]) -> bool:
    """Return whether arguments of a Trainer's command ask for help that this module prints."""
    return any(
        argument.partition("=")[0] in ("-h", "--help", "--model.help", "--data.help")
        for argument in arguments
    )


def print_help(arguments: Sequence[str], summary: str) -> None:
    """Print the help that a command line asks for.

    Args:
        arguments: Command and its arguments. A model, data or a recipe among them chooses whose
            options are shown.
        summary: What the command does, in one line.
    """
    command = arguments[0]
    names = [argument.partition("=")[0] for argument in arguments]
    of_class = [option for option in KNOWN if f"--{option}.help" in names]
    if of_class:
        option = of_class[0]
        values = [
            value for value in values_of(arguments, f"--{option}.help") if not value.startswith("-")
        ]
        path = None
        if values:
            path = KNOWN[option].get(values[-1], values[-1] if "." in values[-1] else None)
        path = path or chosen_class(arguments, option)
        shown = [class_section(option, path, KNOWN[option])]
    else:
        shown = sections_of(
            command, chosen_class(arguments, "model"), chosen_class(arguments, "data")
        )
    sys.stdout.write(_parser(command, summary, shown).format_help())


def _usage(command: str) -> str:
    checkpoint = "" if command == "fit" else " --ckpt_path FILE"
    model = " --model CLASS" if command == "fit" else ""
    return (
        f"lesionseg {command} --config RECIPE{checkpoint} [options]\n"
        f"       lesionseg {command}{model} --data CLASS --data.root DIR{checkpoint} [options]"
    )


def _description(summary: str) -> str:
    return (
        f"{summary[0].upper()}{summary[1:]}. Recipes: {', '.join(recipe_names())}. Models: "
        f"{', '.join(MODELS)}. Data: {', '.join(DATA_MODULES)}. Options behind a recipe override "
        "it. Everything is written to runs/version_N unless "
        "--trainer.logger.init_args.version names it."
    )


class _Formatter(argparse.HelpFormatter):
    """Wrap lines without breaking words at hyphens, since they are names.

    Overrides two private methods, as argparse's own formatters do; tests/test_private_api.py
    names them.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = self._split_lines(text, width - len(indent))
        return "\n".join(indent + line for line in lines)


def _parser(command: str, summary: str, sections: Sequence[Section]) -> argparse.ArgumentParser:
    """Return a parser that only lays out the help."""
    parser = argparse.ArgumentParser(
        prog=f"lesionseg {command}",
        usage=_usage(command),
        description=_description(summary),
        add_help=False,
        formatter_class=_Formatter,
    )
    for section in sections:
        group = parser.add_argument_group(section.title, section.about.replace("%", "%%") or None)
        for option in section.options:
            group.add_argument(
                *option.flags.split(", "),
                metavar=option.metavar,
                help=option.text.replace("%", "%%"),
            )
    return parser
