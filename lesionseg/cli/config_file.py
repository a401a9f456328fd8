"""``--config``: a configuration saved by a fit also serves the other commands of the Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from lesionseg.cli.help.classes import CALLBACKS


def config_action(command: str) -> type[ActionConfigFile]:
    """Return the action of a command's ``--config``.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.
    """

    class ConfigFile(ActionConfigFile):
        def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
            part = shared_part(values, command)
            super().__call__(parser, cfg, part, option_string)  # type: ignore[no-untyped-call]

    return ConfigFile


def shared_part(config: str, command: str) -> str:
    """Leave out of a fit's configuration what another command does not have.

    Args:
        config: Path of a YAML file, or YAML.
        command: The command that it is given to.

    Returns:
        The same, or YAML without the groups of the fit's own callbacks and the checkpoint that the
        fit was resumed from. Configurations that are not of a fit stay as they are.
    """
    path = Path(config)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig")) if path.is_file() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # said where it is parsed
        return config
    of_fit = CALLBACKS["fit"].keys()
    if command == "fit" or not isinstance(content, dict) or of_fit.isdisjoint(content):
        return config
    kept = {key: content[key] for key in content.keys() - of_fit - {"ckpt_path"}}
    text: str = yaml.safe_dump(kept)
    return text
