"""Recipes, pretrained models and checkpoints on the command line of the Trainer's commands."""

from __future__ import annotations

import json

from lesionseg.checkpoints import OUTSIDE_WEIGHTS, read_checkpoint
from lesionseg.cli.options import class_name, model_of, option_value
from lesionseg.cli.precision import AUTO, automatic_precision
from lesionseg.cli.recipes import recipe_path
from lesionseg.errors import CheckpointError
from lesionseg.hub import locate_pretrained
from lesionseg.pretrained import WEIGHTS, suggest_names

#: Values of ``--ckpt_path`` that Lightning resolves.
_KEYWORDS = ("best", "last", "hpc", "registry", "null")


def expand_arguments(arguments: list[str]) -> list[str]:
    """Return a command's arguments with names replaced by files and a checkpoint's model added.

    Args:
        arguments: Command and its arguments.

    Raises:
        LesionsegError: If there is no recipe, pretrained model or checkpoint of a given name.
    """
    replaced = _replace_pretrained(_replace_recipes(_replace_precision(arguments)))
    return _add_checkpoint_model(_replace_format(replaced))


def _replace_format(arguments: list[str]) -> list[str]:
    """Let ``predict`` take ``--format``, as ``segment`` does, for ``--output.formats``."""
    if arguments[0] != "predict":
        return arguments
    return [
        argument.replace("--format", "--output.formats", 1)
        if argument == "--format" or argument.startswith("--format=")
        else argument
        for argument in arguments
    ]


def _replace_precision(arguments: list[str]) -> list[str]:
    """Replace the precision ``auto`` by what it stands for."""
    option, replaced = "--trainer.precision", list(arguments)
    for index, argument in enumerate(arguments):
        if argument == f"{option}={AUTO}":
            replaced[index] = f"{option}={automatic_precision(arguments[0])}"
        elif arguments[index : index + 2] == [option, AUTO]:
            replaced[index + 1] = automatic_precision(arguments[0])
    return replaced


def _replace_recipes(arguments: list[str]) -> list[str]:
    """Replace the name of a recipe by the path of its file."""
    replaced = list(arguments)
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in ("--config", "-c"):
            continue
        position = index if equals else index + 1
        if position < len(arguments):
            path = recipe_path(value if equals else arguments[position])
            replaced[position] = f"{name}={path}" if equals else path
    return replaced


def _replace_pretrained(arguments: list[str]) -> list[str]:
    """Replace names of pretrained models by their files; a fit that starts from one has its class.

    Raises:
        CheckpointError: If ``--pretrained`` names no pretrained model.
    """
    command, replaced = arguments[0], list(arguments)
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        position = index if equals else index + 1
        if command == "fit" or name not in ("--pretrained", "--ckpt_path"):
            continue
        if position >= len(arguments):
            continue
        source = value if equals else arguments[position]
        folder = locate_pretrained(source)
        if folder is None and name == "--pretrained":
            raise CheckpointError(
                f"there is no pretrained model {source!r}; {suggest_names(source)}."
            )
        path = source if folder is None else str(folder / WEIGHTS)
        replaced[index] = f"--ckpt_path={path}" if equals else "--ckpt_path"
        if not equals:
            replaced[position] = path
    start = option_value(arguments, "model.init_from") if command == "fit" else None
    folder = locate_pretrained(start) if start else None
    if folder is None or option_value(arguments, "model") is not None:
        return replaced
    hyper_parameters = read_checkpoint(folder)["hyper_parameters"]
    model = model_of(hyper_parameters, None, str(folder))
    return [command, f"--model={json.dumps(model)}", *replaced[1:]]


def _add_checkpoint_model(arguments: list[str]) -> list[str]:
    """Put a checkpoint's class and hyperparameters first; the user's arguments override them.

    So ``lesionseg test --ckpt_path FILE --data ...`` needs no ``--model`` and runs at the size of
    the training.
    """
    path = option_value(arguments, "ckpt_path")
    if path is None or path in _KEYWORDS:
        return arguments
    hyper_parameters = read_checkpoint(path)["hyper_parameters"]
    model = model_of(hyper_parameters, class_name(option_value(arguments, "model")), path)
    if not model:
        return arguments
    # a recipe may ask for pretrained weights, which the checkpoint replaces
    unused = [f"--model.{name}=null" for name in OUTSIDE_WEIGHTS if name in hyper_parameters]
    return [arguments[0], f"--model={json.dumps(model)}", *arguments[1:], *unused]
