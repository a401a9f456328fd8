"""Configuration files of the Trainer's commands: recipes by name, and what a fit saved.

jsonargparse is imported where it is used, so that help pages stay fast.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lesionseg.cli.help.classes import CALLBACKS
from lesionseg.cli.precision import AUTO, automatic_precision
from lesionseg.errors import LesionsegError

if TYPE_CHECKING:
    from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

_CONFIGS = files("lesionseg") / "configs"


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(
        Path(entry.name).stem for entry in _CONFIGS.iterdir() if entry.name.endswith(".yaml")
    )


def recipe_path(name: str) -> str:
    """Return the path of a recipe or of a configuration file.

    Args:
        name: Name of a recipe, or a path.

    Raises:
        LesionsegError: If there is neither.
    """
    if Path(name).is_file():
        return name
    if name in recipe_names():
        return str(_CONFIGS / f"{name}.yaml")
    raise LesionsegError(
        f"there is no configuration file {name!r} and no recipe of that name; "
        f"recipes are {', '.join(recipe_names())}."
    )


def config_action(command: str) -> type[ActionConfigFile]:
    """Return the argparse action of a command's ``--config``.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.
    """
    from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

    class ConfigFile(ActionConfigFile):
        def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
            config = config_for(values, command)
            super().__call__(parser, cfg, config, option_string)  # type: ignore[no-untyped-call]

    return ConfigFile


def config_for(config: str, command: str) -> str:
    """Adapt a configuration to a command and to this machine.

    Args:
        config: Path of a YAML file, or YAML.
        command: Command that it is given to.

    Returns:
        The same, or YAML with the precision ``auto`` resolved and, for a command other than fit,
        without what is only the fit's: the groups of its callbacks, the checkpoint that it was
        resumed from, and mixed precision, so that scores do not depend on the processor.
    """
    path = Path(config)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig")) if path.is_file() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # the parser reports it
        return config
    if not isinstance(content, dict):
        return config
    kept = dict(content)
    fit_only = CALLBACKS["fit"].keys()
    if command != "fit" and not fit_only.isdisjoint(content):
        kept = {key: content[key] for key in content.keys() - fit_only - {"ckpt_path"}}
    trainer = kept.get("trainer")
    if isinstance(trainer, dict):
        precision = str(trainer.get("precision"))
        of_the_fit = kept.keys() != content.keys() and precision.endswith("-mixed")
        if precision == AUTO or of_the_fit:
            kept["trainer"] = trainer | {"precision": automatic_precision(command)}
    if kept == content:
        return config
    text: str = yaml.safe_dump(kept)
    return text
