"""Recipes, pretrained models and checkpoints on the command line of the Trainer's commands."""

from __future__ import annotations

import json

from lesionseg.checkpoints import OUTSIDE_WEIGHTS, read_checkpoint
from lesionseg.cli.options import class_name, model_of, option_value
from lesionseg.cli.recipes import recipe_path
from lesionseg.errors import CheckpointError
from lesionseg.pretrained import WEIGHTS, find_pretrained, suggest_names


def expand_arguments(arguments: list[str]) -> list[str]:
    """Return a command's arguments with names replaced by files and a checkpoint's model added.

    Args:
        arguments: The command and its arguments.

    Raises:
        LesionsegError: If there is no recipe, pretrained model or checkpoint of a given name.
    """
    return _with_checkpoint(_with_pretrained(_with_recipes(arguments)))


def _with_recipes(arguments: list[str]) -> list[str]:
    """Replaces the name of a recipe by the path of its file."""
    replaced = list(arguments)
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in ("--config", "-c"):
            continue
        where = index if equals else index + 1
        if where < len(arguments):
            path = recipe_path(value if equals else arguments[where])
            replaced[where] = f"{name}={path}" if equals else path
    return replaced


def _with_pretrained(arguments: list[str]) -> list[str]:
    """Replaces names of pretrained models by their files; a fit that starts from one is of it.

    Raises:
        CheckpointError: ``--pretrained`` names no pretrained model.
    """
    command, replaced = arguments[0], list(arguments)
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        where = index if equals else index + 1
        if command == "fit" or name not in ("--pretrained", "--ckpt_path"):
            continue
        if where >= len(arguments):
            continue
        source = value if equals else arguments[where]
        folder = find_pretrained(source)
        if folder is None and name == "--pretrained":
            raise CheckpointError(
                f"there is no pretrained model {source!r}; {suggest_names(source)}."
            )
        path = source if folder is None else str(folder / WEIGHTS)
        replaced[index] = f"--ckpt_path={path}" if equals else "--ckpt_path"
        if not equals:
            replaced[where] = path
    start = option_value(arguments, "model.init_from") if command == "fit" else None
    folder = find_pretrained(start) if start else None
    if folder is None or option_value(arguments, "model") is not None:
        return replaced
    hyper_parameters = read_checkpoint(folder)["hyper_parameters"]
    model = model_of(hyper_parameters, None, str(folder))
    return [command, f"--model={json.dumps(model)}", *replaced[1:]]


def _with_checkpoint(arguments: list[str]) -> list[str]:
    """Puts a checkpoint's class and hyperparameters before the user's own arguments.

    So ``lesionseg test --ckpt_path FILE --data ...`` needs no ``--model``, runs at the size
    that was trained, and what the user says still wins.
    """
    name = option_value(arguments, "ckpt_path")
    if name is None or name in ("best", "last", "hpc", "registry", "null"):
        return arguments
    hyper_parameters = read_checkpoint(name)["hyper_parameters"]
    model = model_of(hyper_parameters, class_name(option_value(arguments, "model")), name)
    if not model:
        return arguments
    # a recipe may ask for pretrained weights; the checkpoint has better ones
    unasked = [f"--model.{name}=null" for name in OUTSIDE_WEIGHTS if name in hyper_parameters]
    return [arguments[0], f"--model={json.dumps(model)}", *arguments[1:], *unasked]
