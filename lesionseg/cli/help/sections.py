"""All options of the Trainer's commands, in the order in which they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from lesionseg.cli.help.annotations import kind_of, merged_metavar
from lesionseg.cli.help.classes import (
    CALLBACKS,
    COMMAND_DEFAULTS,
    DATA_MODULES,
    MODELS,
    TRAINER,
    TRAINER_DEFAULTS,
)
from lesionseg.cli.help.docstrings import first_sentences
from lesionseg.cli.help.sources import Constructor, Parameter, read_class, value_of
from lesionseg.errors import shorten

TEST_TIME_AUGMENTATION = (
    "Average each image's probabilities over its 4 flips, or over its 8 flips and rotations, in "
    "as many times the time."
)
_CHECKPOINT = "Checkpoint to use; model, size and hyperparameters are its own unless overridden."
_SIZE = "H,W"
_TELLING = 20  # characters of a beginning that says enough
_OWN: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "fit": (
        ("--ckpt_path", "FILE|last", "Resume from a checkpoint, or from the last one of this fit."),
    ),
    "validate": (
        ("--ckpt_path", "FILE", _CHECKPOINT),
        ("--verbose", "{true,false}", "Print the results as Lightning does (default: true)."),
    ),
    "test": (
        ("--ckpt_path", "FILE", _CHECKPOINT),
        (
            "--test_time_augmentation",
            "{none,flips,flips_and_rotations}",
            f"{TEST_TIME_AUGMENTATION} (default: none)",
        ),
        ("--verbose", "{true,false}", "Print the results as Lightning does (default: false)."),
    ),
    "predict": (
        ("--ckpt_path", "FILE", _CHECKPOINT),
        (
            "--test_time_augmentation",
            "{none,flips,flips_and_rotations}",
            f"{TEST_TIME_AUGMENTATION} (default: none)",
        ),
        (
            "--return_predictions",
            "{true,false}",
            "Keep all predictions in memory (default: false).",
        ),
    ),
}
_ALL = (
    ("-c, --config", "RECIPE", "A recipe's name, or a YAML file; what follows overrides it."),
    ("--seed_everything", "INT", "Seed of all random numbers (default: 0)."),
    (
        "--print_config",
        "[FLAGS]",
        "Print the whole configuration and exit; FLAGS are of comments, skip_default, skip_unset.",
    ),
    (
        "--weights_only",
        "{true,false}",
        "Whether torch.load may read nothing but tensors and plain values from a checkpoint.",
    ),
)
_GROUPS = {
    "checkpoint": "The best epoch's checkpoint; options of Lightning's ModelCheckpoint, in short."
}
#: Where Lightning's types do not say what may be given.
_METAVARS = {
    "--checkpoint.mode": "{min,max}",
    "--trainer.gradient_clip_algorithm": "{norm,value}",
    "--trainer.precision": "PRECISION",
    "--trainer.profiler": "{simple,advanced,pytorch}",
}
#: Instead of Lightning's words, which tell of defaults that are not those of this program.
_TRAINER_TEXTS = {
    "devices": "Number of devices, a list of their indices, or auto.",
    "precision": "Of the computation: 32-true, 16-mixed, bf16-mixed, 64-true (default: 32-true).",
    "max_epochs": "Number of epochs; -1 sets no limit.",
    "logger": "Where scores go: a logger's class, such as TensorBoardLogger, or false.",
    "callbacks": "Add a callback's class, such as EarlyStopping, with --trainer.callbacks+=CLASS.",
    "default_root_dir": "Folder of logs and checkpoints where no logger gives one.",
    "enable_progress_bar": "Whether to show a progress bar (default: true).",
}


class Option(NamedTuple):
    """One option.

    Attributes:
        flags: Its names, separated by commas.
        metavar: Its value.
        text: What it does, with its default.
    """

    flags: str
    metavar: str
    text: str


class Section(NamedTuple):
    """Options that belong together.

    Attributes:
        title: Its heading.
        about: What they belong to; may be empty.
        options: What there is.
    """

    title: str
    about: str
    options: list[Option]


def sections_of(command: str, model: str | None, data: str | None) -> list[Section]:
    """Return all options of a command.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.
        model: Dotted path of the model's class; None for the options that models share.
        data: The same of the DataModule.
    """
    callbacks = CALLBACKS[command].items()
    defaults = {**TRAINER_DEFAULTS, **COMMAND_DEFAULTS[command]}
    return [
        class_section("model", model, MODELS),
        class_section("data", data, DATA_MODULES),
        Section("command", "", [Option(*one) for one in (_ALL[0], *_OWN[command], *_ALL[1:])]),
        *(_group(name, path, defaults) for name, path in callbacks),
        _trainer(defaults),
    ]


def class_section(what: str, path: str | None, known: Mapping[str, str]) -> Section:
    """Return the options of the chosen class, or those that several known ones share.

    Args:
        what: ``model`` or ``data``.
        path: The chosen class; None for those that are shared.
        known: Classes by name.
    """
    choice = Option(f"--{what}", f"{{{','.join(known)}}}", "Class, or the path of your own.")
    found = read_class(path) if path else None
    if found is not None:
        options = [_option(f"--{what}.", one) for one in found.parameters.values()]
        return Section(f"{what} {found.name}", found.summary, [choice, *options])
    if path:
        about = f"{path} can be read only when it is imported: --{what}.help {path}."
        return Section(f"{what} {path}", about, [choice])
    about = f"Shared options. With --{what} CLASS or a recipe, --help tells all of that class."
    constructors = [one for one in map(read_class, known.values()) if one]
    return Section(what, about, [choice, *_shared(what, constructors)])


def _shared(what: str, classes: Sequence[Constructor]) -> Iterable[Option]:
    """Options that at least two classes have, and which they are where not all have them."""
    names = dict.fromkeys(name for one in classes for name in one.parameters)
    for name in names:
        owners = [one for one in classes if name in one.parameters]
        if len(owners) < 2:
            continue
        found = [one.parameters[name] for one in owners]
        text = _common_text([one.text for one in found])
        kinds = dict.fromkeys(kind_of(one.annotation).metavar for one in found)
        defaults: dict[str, list[str]] = {}
        for owner, parameter in zip(owners, found, strict=True):
            defaults.setdefault(_shown(value_of(parameter.default)), []).append(owner.name)
        if len(defaults) > 1:
            each = [
                f"{value or 'none'} in {shorten(who, 5, 'and')}" for value, who in defaults.items()
            ]
            text += f" (default: {', '.join(each)})"
        else:
            text += "".join(f" (default: {value})" for value in defaults if value)
            if len(owners) < len(classes):
                text += f" [{', '.join(one.name for one in owners)}]"
        metavar = _SIZE if name == "size" else merged_metavar(kinds)
        yield Option(f"--{what}.{name}", metavar, text)


def _common_text(texts: Sequence[str]) -> str:
    """What several classes say of one option: how they all begin, or what most of them say."""
    clauses = [re.split(r"(?=[;.,(])", one) for one in texts]
    alike = takewhile(lambda column: len(set(column)) == 1, zip(*clauses, strict=False))
    start = "".join(column[0] for column in alike)
    if len(start) >= _TELLING and len(set(texts)) > 1:
        return f"{start}."
    return max(texts, key=lambda one: (texts.count(one), len(one)))


def _group(name: str, path: str, defaults: Mapping[str, Any]) -> Section:
    found = read_class(path)
    assert found is not None
    options = [
        _option(f"--{name}.", one, defaults, length=200) for one in found.parameters.values()
    ]
    return Section(name, _GROUPS.get(name, found.summary), options)


def _trainer(defaults: Mapping[str, Any]) -> Section:
    found = read_class(TRAINER)
    parameters = found.parameters if found else {}
    options = [
        _option(
            "--trainer.",
            one._replace(text=_TRAINER_TEXTS.get(one.name, one.text)),
            defaults,
            length=160,
        )
        for one in parameters.values()
    ]
    about = (
        "Options of Lightning's Trainer, in short. Those of a class that is given here: "
        "--trainer.callbacks.help CLASS, --trainer.logger.help CLASS and so on."
    )
    return Section("trainer", about, options)


def _option(
    prefix: str,
    parameter: Parameter,
    defaults: Mapping[str, Any] | None = None,
    length: int = 1000,
    show_default: bool = True,
) -> Option:
    flag = f"{prefix}{parameter.name}"
    default = (defaults or {}).get(flag.removeprefix("--"), value_of(parameter.default))
    text = first_sentences(parameter.text, length)
    shown = _shown(default)
    if shown and show_default:
        text = f"{text} (default: {shown})".strip()
    elif parameter.default is None:
        text = f"{text} (required)"
    metavar = _METAVARS.get(flag, kind_of(parameter.annotation).metavar)
    if parameter.name == "size":
        metavar = _SIZE
    return Option(flag, metavar, text)


def _shown(value: Any) -> str:
    """A default as the command line takes it; empty for None."""
    if value is None or isinstance(value, type):
        return ""
    if isinstance(value, dict):
        return str(value.get("class_path", value)).rpartition(".")[2]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_shown, value))}]"
    return str(value)
