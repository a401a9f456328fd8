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

POST_PROCESSING = "Post-process masks: keep the largest region and fill its holes."
TEST_TIME_AUGMENTATION = (
    "Average each image's probabilities over its 4 flips, or over its 8 flips and rotations, which "
    "takes 4 or 8 times as long."
)
_CHECKPOINT = "Checkpoint; gives model, size and hyperparameters unless they are overridden."
_SIZE = "H,W"
_ENOUGH = 20  # characters of a common beginning that suffice as a description
#: Of the commands that make masks at the original size.
_MASK_OPTIONS = (
    (
        "--test_time_augmentation",
        "{none,flips,flips_and_rotations}",
        f"{TEST_TIME_AUGMENTATION} (default: none)",
    ),
    ("--postprocess", "{none,largest-region}", f"{POST_PROCESSING} (default: none)"),
)
_COMMAND_OPTIONS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "fit": (
        (
            "--ckpt_path",
            "FILE|last",
            "Resume from a checkpoint, or from the last checkpoint of this fit.",
        ),
    ),
    "validate": (
        ("--ckpt_path", "FILE", _CHECKPOINT),
        ("--verbose", "{true,false}", "Print the results as Lightning does (default: true)."),
    ),
    "test": (
        ("--ckpt_path", "FILE", _CHECKPOINT),
        *_MASK_OPTIONS,
        ("--verbose", "{true,false}", "Print the results as Lightning does (default: false)."),
    ),
    "predict": (
        ("--ckpt_path", "FILE", _CHECKPOINT),
        *_MASK_OPTIONS,
        (
            "--return_predictions",
            "{true,false}",
            "Keep all predictions in memory (default: false).",
        ),
        (
            "--format",
            "NAMES",
            "What to write, separated by commas: mask, overlay, probability, json, csv, coco, "
            "dicom-seg; short for --output.formats (default: mask,overlay).",
        ),
    ),
}
_COMMON_OPTIONS = (
    ("-c, --config", "RECIPE", "A recipe's name, or a YAML file; options behind it override it."),
    ("--seed_everything", "INT", "Seed of all random numbers (default: 0)."),
    (
        "--print_config",
        "[FLAGS]",
        "Print the whole configuration and exit; FLAGS: comments, skip_default, skip_unset.",
    ),
    (
        "--weights_only",
        "{true,false}",
        "Read only tensors and plain values from a checkpoint, as torch.load does.",
    ),
)
_GROUPS = {
    "checkpoint": "The best epoch's checkpoint; options of Lightning's ModelCheckpoint, shortened."
}
#: Where Lightning's types do not name the accepted values.
_METAVARS = {
    "--checkpoint.mode": "{min,max}",
    "--trainer.gradient_clip_algorithm": "{norm,value}",
    "--trainer.precision": "PRECISION",
    "--trainer.profiler": "{simple,advanced,pytorch}",
}
#: Instead of Lightning's descriptions, whose defaults are not those of this program.
_TRAINER_TEXTS = {
    "devices": "Number of devices, a list of their indices, or auto.",
    "precision": "Precision: 32-true, 16-mixed, bf16-mixed, 64-true, or auto, which is bf16-mixed "
    "in fits on CPUs with AMX and else 32-true (default: 32-true).",
    "max_epochs": "Number of epochs; -1 sets no limit.",
    "logger": "Class of the logger, such as TensorBoardLogger, or false.",
    "callbacks": "Add a callback's class, such as EarlyStopping, with --trainer.callbacks+=CLASS.",
    "default_root_dir": "Folder of logs and checkpoints if the logger has none.",
    "enable_progress_bar": "Whether to show a progress bar (default: true).",
}


class Option(NamedTuple):
    """An option of a command.

    Attributes:
        flags: Names, separated by commas.
        metavar: Placeholder or choices of the value.
        text: Description, with the default.
    """

    flags: str
    metavar: str
    text: str


class Section(NamedTuple):
    """A group of options.

    Attributes:
        title: Heading.
        about: What the options belong to; may be empty.
        options: Options in order.
    """

    title: str
    about: str
    options: list[Option]


def sections_of(command: str, model: str | None, data: str | None) -> list[Section]:
    """Return all options of a command.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.
        model: Dotted path of the model's class; None for the options that models share.
        data: Dotted path of the DataModule's class; None for the options that DataModules share.

    Example:
        >>> from lesionseg.cli.help.sections import sections_of
        >>> sections = sections_of("test", "lesionseg.models.asnet.ASNet", None)
        >>> [section.title for section in sections]
        ['model ASNet', 'data', 'command', 'report', 'trainer']
    """
    callbacks = CALLBACKS[command].items()
    defaults = {**TRAINER_DEFAULTS, **COMMAND_DEFAULTS[command]}
    config, *others = _COMMON_OPTIONS
    options = (config, *_COMMAND_OPTIONS[command], *others)
    return [
        class_section("model", model, MODELS),
        class_section("data", data, DATA_MODULES),
        Section("command", "", [Option(*option) for option in options]),
        *(_group(name, path, defaults) for name, path in callbacks),
        _trainer(defaults),
    ]


def class_section(group: str, path: str | None, known: Mapping[str, str]) -> Section:
    """Return the options of the chosen class, or those that several known classes share.

    Args:
        group: ``model`` or ``data``.
        path: Dotted path of the chosen class; None for the shared options.
        known: Dotted paths by class name.
    """
    choice = Option(f"--{group}", f"{{{','.join(known)}}}", "Class, or the path of your own.")
    found = read_class(path) if path else None
    if found is not None:
        options = [_option(f"--{group}.", parameter) for parameter in found.parameters.values()]
        return Section(f"{group} {found.name}", found.summary, [choice, *options])
    if path:
        about = f"{path} can be read only when it is imported: --{group}.help {path}."
        return Section(f"{group} {path}", about, [choice])
    about = f"Shared options. With --{group} CLASS or a recipe, --help shows all of that class."
    constructors = [found for found in map(read_class, known.values()) if found]
    return Section(group, about, [choice, *_shared(group, constructors)])


def _shared(group: str, classes: Sequence[Constructor]) -> Iterable[Option]:
    """Yield the options that at least two classes have, with their names if not all have it."""
    names = dict.fromkeys(name for cls in classes for name in cls.parameters)
    for name in names:
        owners = [cls for cls in classes if name in cls.parameters]
        if len(owners) < 2:
            continue
        found = [cls.parameters[name] for cls in owners]
        text = _common_text([parameter.text for parameter in found])
        metavars = dict.fromkeys(kind_of(parameter.annotation).metavar for parameter in found)
        defaults: dict[str, list[str]] = {}
        for owner, parameter in zip(owners, found, strict=True):
            defaults.setdefault(_shown(value_of(parameter.default)), []).append(owner.name)
        if len(defaults) > 1:
            each = [
                f"{value or 'none'} in {shorten(names_of, 5, 'and')}"
                for value, names_of in defaults.items()
            ]
            text += f" (default: {', '.join(each)})"
        else:
            text += "".join(f" (default: {value})" for value in defaults if value)
            if len(owners) < len(classes):
                text += f" [{', '.join(cls.name for cls in owners)}]"
        metavar = _SIZE if name == "size" else merged_metavar(metavars)
        yield Option(f"--{group}.{name}", metavar, text)


def _common_text(texts: Sequence[str]) -> str:
    """Return the common beginning of several descriptions, or the most frequent of them."""
    clauses = [re.split(r"(?=[;.,(])", text) for text in texts]
    alike = takewhile(lambda column: len(set(column)) == 1, zip(*clauses, strict=False))
    start = "".join(column[0] for column in alike)
    if len(start) >= _ENOUGH and len(set(texts)) > 1:
        return f"{start}."
    return max(texts, key=lambda text: (texts.count(text), len(text)))


def _group(name: str, path: str, defaults: Mapping[str, Any]) -> Section:
    found = read_class(path)
    assert found is not None
    options = [
        _option(f"--{name}.", parameter, defaults, length=200)
        for parameter in found.parameters.values()
    ]
    return Section(name, _GROUPS.get(name, found.summary), options)


def _trainer(defaults: Mapping[str, Any]) -> Section:
    found = read_class(TRAINER)
    parameters = found.parameters if found else {}
    options = [
        _option(
            "--trainer.",
            parameter._replace(text=_TRAINER_TEXTS.get(parameter.name, parameter.text)),
            defaults,
            length=160,
        )
        for parameter in parameters.values()
    ]
    about = (
        "Options of Lightning's Trainer, shortened. For those of a class that is given here see "
        "--trainer.callbacks.help CLASS, --trainer.logger.help CLASS and so on."
    )
    return Section("trainer", about, options)


def _option(
    prefix: str,
    parameter: Parameter,
    defaults: Mapping[str, Any] | None = None,
    length: int = 1000,
) -> Option:
    flag = f"{prefix}{parameter.name}"
    default = (defaults or {}).get(flag.removeprefix("--"), value_of(parameter.default))
    text = first_sentences(parameter.text, length)
    shown = _shown(default)
    if shown:
        text = f"{text} (default: {shown})".strip()
    elif parameter.default is None:
        text = f"{text} (required)"
    metavar = _METAVARS.get(flag, kind_of(parameter.annotation).metavar)
    if parameter.name == "size":
        metavar = _SIZE
    return Option(flag, metavar, text)


def _shown(value: Any) -> str:
    """Return a default as the command line takes it; empty for None."""
    if value is None or isinstance(value, type):
        return ""
    if isinstance(value, dict):
        return str(value.get("class_path", value)).rpartition(".")[2]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_shown, value))}]"
    return str(value)
