"""Write the page of the command line: run ``python docs/make_command_line.py`` after a change.

The options are those that ``--help`` shows, without those of Lightning's Trainer.
"""

import argparse
import html
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from lesionseg.cli.help.docstrings import plain
from lesionseg.cli.help.parser import CommandParser
from lesionseg.cli.help.sections import Section, sections_of
from lesionseg.cli.main import SMALL_COMMANDS, SUMMARIES, TRAINER_COMMANDS

PAGE = Path(__file__).parent / "command-line.md"
INTRODUCTION = """# Command line

<!-- Written by docs/make_command_line.py. -->

All commands and their options, as `lesionseg COMMAND --help` shows them.
[Getting started](getting-started.md) shows them in the order of use.

| command | what it does |
| --- | --- |
{commands}

`fit`, `validate`, `test` and `predict` take the options of the chosen model and data. Below are
those that several models or data sets share;
`lesionseg fit --model ASNet --data ISICDataModule --help` shows the others.
They also take all options of Lightning's
[Trainer](https://lightning.ai/docs/pytorch/stable/common/trainer.html) as `--trainer.NAME`, such as
`--trainer.max_epochs 20`. Their options have underscores, as
Lightning's; those of the other commands have hyphens, and accept underscores too.

Exit codes: 0 done, 1 an error that the message names, 2 wrong usage, 3 nothing left to train,
130 Ctrl-C, 141 the reader of the output has gone, 143 SIGTERM.
"""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    """Escape text for a table of Markdown, with names of options as code."""
    text = " ".join(text.split())
    text = re.sub(r"([\\*_|\[\]{}])", r"\\\1", html.escape(text, quote=False))
    return re.sub(
        r"(?<![\w`-])(--[\w.\\-]+)", lambda match: _code(match[1].replace("\\", "")), text
    )


def _values(value: str) -> str:
    """Format a metavar; choices separately, so that lines can be broken between them."""
    if value.startswith("{") and value.endswith("}"):
        return ", ".join(_code(choice) for choice in value[1:-1].split(","))
    return " or ".join(_code(kind) for kind in value.split("|"))


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    lines = ["| option | value | |", "| --- | --- | --- |"]
    for flags, value, text in rows:
        names = ", ".join(_code(flag) for flag in flags.split(", "))
        lines.append(f"| {names} | {_values(value)} | {_cell(text)} |")
    return "\n".join(lines)


def _section(section: Section) -> str:
    about = f"{_cell(section.about)}\n\n" if section.about else ""
    return f"### {section.title}\n\n{about}{_table(section.options)}"


def trainer_command(name: str, summary: str, first: str) -> str:
    """Return the part of one of the Trainer's commands; what the first has too is not repeated."""
    sections = [part for part in sections_of(name, None, None) if part.title != "trainer"]
    if name != first:
        before = sections_of(first, None, None)
        sections = [part for part in sections if part not in before]
    shown = "\n\n".join(_section(part).replace("### ", f"### {name}: ", 1) for part in sections)
    also = "" if name == first else f"\n\nThe other options are those of [`{first}`](#{first})."
    return f"## {name}\n\n{summary[0].upper()}{summary[1:]}.{also}\n\n{shown}"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    if action.metavar is not None and not action.choices:
        return action.metavar
    if action.choices:
        return f"{{{','.join(map(str, action.choices))}}}"
    return action.dest.upper()


def small_command(name: str, module_name: str) -> str:
    """Return the part of one of the small commands: its description and its options."""
    module = import_module(module_name)
    parser = CommandParser(prog=f"lesionseg {name}")
    module.add_arguments(parser)
    rows = []
    for action in parser._actions:
        if action.help is argparse.SUPPRESS or "--help" in action.option_strings:
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = _value(action) if action.option_strings or action.choices else ""
        text = (action.help or "") % {**vars(action), "prog": parser.prog}
        rows.append((names, value, text + (" (required)" if action.required and value else "")))
    about = html.escape(plain(module.__doc__ or "").strip(), quote=False)
    about = re.sub(r"([*_])", r"\\\1", about)
    return f"## {name}\n\n{about}\n\n{_table(rows)}"


def page() -> str:
    """Return the whole page."""
    rows = "\n".join(f"| [`{name}`](#{name}) | {text} |" for name, text in SUMMARIES.items())
    parts = [INTRODUCTION.format(commands=rows).rstrip()]
    parts += [trainer_command(name, SUMMARIES[name], "fit") for name in TRAINER_COMMANDS]
    parts += [small_command(name, module) for name, module in SMALL_COMMANDS.items()]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
