"""``lesionseg fit --help`` and that of the other commands of the Trainer."""

from __future__ import annotations

import argparse
import io
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

from lesionseg.cli.help.chosen import KNOWN, chosen_class, values_of
from lesionseg.cli.help.classes import DATA_MODULES, MODELS
from lesionseg.cli.help.docstrings import plain
from lesionseg.cli.help.sections import Section, class_section, sections_of
from lesionseg.cli.recipes import recipe_names

_SUMMARIES = {
    "fit": "Train a model.",
    "validate": "Score a checkpoint on the validation images, at the network's size.",
    "test": "Score a checkpoint on the test images, at their original size.",
    "predict": "Write masks, overlays and a submission zip for a data set.",
}


def wants_help(arguments: Sequence[str]) -> bool:
    """Tell whether a command line of the Trainer's commands asks for help that this module has."""
    return any(
        one.partition("=")[0] in ("-h", "--help", "--model.help", "--data.help")
        for one in arguments
    )


def print_help(arguments: Sequence[str]) -> None:
    """Print the help that a command line asks for.

    Args:
        arguments: The command and what stands behind it. A model, data or a recipe among them says
            whose options are shown.
    """
    command = arguments[0]
    lone = [
        what for what in KNOWN if any(one.split("=")[0] == f"--{what}.help" for one in arguments)
    ]
    if lone:
        what = lone[0]
        names = [one for one in values_of(arguments, f"--{what}.help") if not one.startswith("-")]
        path = (
            KNOWN[what].get(names[-1], names[-1] if "." in names[-1] else None) if names else None
        )
        path = path or chosen_class(arguments, what)
        shown = [class_section(what, path, KNOWN[what])]
    else:
        shown = sections_of(
            command, chosen_class(arguments, "model"), chosen_class(arguments, "data")
        )
    sys.stdout.write(_parser(command, shown).format_help())


@contextmanager
def plain_help(arguments: Sequence[str]) -> Iterator[None]:
    """Within it jsonargparse's help of a class, such as a logger's, loses its Sphinx roles.

    Args:
        arguments: The command and what stands behind it.
    """
    if not any(one.partition("=")[0].endswith(".help") for one in arguments):
        yield
        return
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        sys.stdout.write(plain(printed.getvalue()))


def usage_of(command: str) -> str:
    """Return the usage of one of the Trainer's commands."""
    checkpoint = "" if command == "fit" else " --ckpt_path FILE"
    model = " --model CLASS" if command == "fit" else ""
    return (
        f"lesionseg {command} --config RECIPE{checkpoint} [options]\n"
        f"       lesionseg {command}{model} --data CLASS --data.root DIR{checkpoint} [options]"
    )


def description_of(command: str) -> str:
    """Return what one of the Trainer's commands does."""
    return (
        f"{_SUMMARIES[command]} Recipes: {', '.join(recipe_names())}. Models: "
        f"{', '.join(MODELS)}. Data: {', '.join(DATA_MODULES)}. What a recipe says can be "
        "overridden behind it. Everything is written to runs/version_N unless "
        "--trainer.logger.init_args.version names it."
    )


class _Formatter(argparse.HelpFormatter):
    """Breaks no word at its hyphen: they are names."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = self._split_lines(text, width - len(indent))
        return "\n".join(indent + line for line in lines)


def _parser(command: str, sections: Sequence[Section]) -> argparse.ArgumentParser:
    """A parser that is there for its help alone: argparse knows how to lay it out."""
    parser = argparse.ArgumentParser(
        prog=f"lesionseg {command}",
        usage=usage_of(command),
        description=description_of(command),
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
