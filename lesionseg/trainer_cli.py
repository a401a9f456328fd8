"""``lesionseg fit | validate | test | predict``: LightningCLI with recipes by name."""

from __future__ import annotations

import json
import logging
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from lesionseg.cli_messages import one_sentence
from lesionseg.data import FolderDataModule, ISICDataModule, SyntheticDataModule
from lesionseg.errors import LesionsegError
from lesionseg.evaluation.mask_writer import MaskWriter
from lesionseg.evaluation.overlay_logger import OverlayLogger
from lesionseg.evaluation.score_report import ScoreReport
from lesionseg.inference.predictor import read_checkpoint
from lesionseg.models import ASNet, MobileGAN, SegmentationModule, Segmenter

__all__ = ["LesionCLI", "recipe_names", "run"]

_CONFIGS = files("lesionseg") / "configs"

#: Imported, so that their bare names stand for them after ``--model`` and ``--data``.
MODELS = (ASNet, MobileGAN, Segmenter)
DATA_MODULES = (FolderDataModule, ISICDataModule, SyntheticDataModule)


class _Parser(LightningArgumentParser):
    """Says what is wrong in one sentence, without the usage of a hundred options."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        choices = {"model": MODELS, "data": DATA_MODULES}
        names = {key: [one.__name__ for one in classes] for key, classes in choices.items()}
        raise LesionsegError(one_sentence(message, names))


class LesionCLI(LightningCLI):
    """LightningCLI whose subcommands bring the callbacks that belong to them."""

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds trainer, model and data, and logs to ``runs`` unless told otherwise."""
        super().add_core_arguments_to_parser(parser)
        parser.set_defaults(
            {
                "trainer.logger": {
                    "class_path": "CSVLogger",
                    "init_args": {"save_dir": "runs", "name": ""},
                }
            }
        )

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "fit":
            parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
            parser.set_defaults(
                {
                    "checkpoint.monitor": "val/jaccard",
                    "checkpoint.mode": "max",
                    "checkpoint.filename": "best",
                    "checkpoint.save_last": True,
                    "checkpoint.enable_version_counter": False,
                }
            )
            parser.add_lightning_class_args(OverlayLogger, "overlays")
        elif subcommand == "test":
            parser.add_lightning_class_args(ScoreReport, "report")
            parser.set_defaults({"verbose": False})  # the report prints a better table
        elif subcommand == "predict":
            parser.add_lightning_class_args(MaskWriter, "output")
            parser.set_defaults({"return_predictions": False})
        return parser

    def _parse_ckpt_path(self) -> None:
        """Does nothing: Lightning would let the checkpoint override the command line.

        :func:`_with_checkpoint` puts the checkpoint's hyperparameters first instead.
        """


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(
        Path(entry.name).stem for entry in _CONFIGS.iterdir() if entry.name.endswith(".yaml")
    )


def run(arguments: list[str]) -> int:
    """Runs one Trainer command.

    Args:
        arguments: The command and what stands behind it.
    """
    _hush()
    LesionCLI(
        SegmentationModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        parser_class=_Parser,
        load_from_checkpoint_support=False,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
        args=_with_checkpoint(_with_recipes(arguments)),
    )
    return 0


def _hush() -> None:
    """Drops what Lightning says on every run and no user of this program can act on."""
    for message in (
        "LightningCLI's args parameter is intended",
        "Be aware that when using `ckpt_path`",
        "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    ):
        warnings.filterwarnings("ignore", message)
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(lambda record: "Tip: For seamless cloud" not in record.getMessage())


def _value_of(arguments: list[str], *options: str) -> str | None:
    """The last value of an option, given as ``--name value`` or ``--name=value``."""
    found = None
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in options:
            found = value if equals else next(iter(arguments[index + 1 :]), None)
    return found


def _with_recipes(arguments: list[str]) -> list[str]:
    """Replaces the name of a recipe by the path of its file."""
    replaced = list(arguments)
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in ("--config", "-c"):
            continue
        where = index if equals else index + 1
        if where < len(arguments):
            path = _recipe_path(value if equals else arguments[where])
            replaced[where] = f"{name}={path}" if equals else path
    return replaced


def _recipe_path(name: str) -> str:
    if Path(name).is_file():
        return name
    if name in recipe_names():
        return str(_CONFIGS / f"{name}.yaml")
    raise LesionsegError(
        f"there is no configuration file {name!r} and no recipe of that name; "
        f"recipes are {', '.join(recipe_names())}."
    )


def _with_checkpoint(arguments: list[str]) -> list[str]:
    """Puts a checkpoint's class and hyperparameters before the user's own arguments.

    So ``lesionseg test --ckpt_path FILE --data ...`` needs no ``--model``, runs at the size
    that was trained, and what the user says still wins.
    """
    name = _value_of(arguments, "--ckpt_path")
    if name is None or name in ("best", "last", "hpc", "registry", "null") or "://" in name:
        return arguments
    checkpoint = read_checkpoint(name)
    hyper_parameters = dict(checkpoint.get("hyper_parameters", {}))
    class_path = hyper_parameters.pop("_class_path", None)
    asked = _value_of(arguments, "--model")
    if class_path is None or (
        asked is not None and asked.split(".")[-1] != class_path.split(".")[-1]
    ):
        return arguments
    model = json.dumps({"class_path": class_path, "init_args": hyper_parameters})
    return [arguments[0], f"--model={model}", *arguments[1:]]
