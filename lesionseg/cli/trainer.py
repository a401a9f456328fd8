"""``lesionseg fit | validate | test | predict``: LightningCLI with recipes by name."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import yaml
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from lesionseg.callbacks.fit_display import closing_lines, display_callbacks
from lesionseg.callbacks.last_checkpoint import LastCheckpoint
from lesionseg.callbacks.monitor_check import MonitorCheck, missing_metric
from lesionseg.callbacks.result_folder import loggers_beside
from lesionseg.callbacks.resume import reopen
from lesionseg.callbacks.save_config import SaveConfig
from lesionseg.callbacks.score_report import ScoreReport
from lesionseg.cli.config_file import config_action
from lesionseg.cli.distributed import PEER_LOST, end_with_launcher
from lesionseg.cli.help import classes
from lesionseg.cli.help.classes import load_class
from lesionseg.cli.help.lists import with_lists
from lesionseg.cli.help.mistakes import explained
from lesionseg.cli.help.page import plain_help
from lesionseg.cli.help.sections import TEST_TIME_AUGMENTATION
from lesionseg.cli.messages import one_sentence
from lesionseg.cli.recipes import recipe_names
from lesionseg.cli.trainer_arguments import expand_arguments
from lesionseg.errors import LesionsegError
from lesionseg.inference.tta import TestTimeAugmentation
from lesionseg.models import SegmentationModule
from lesionseg.run_folder import chosen_run_folder, share_folder

__all__ = ["LesionCLI", "recipe_names", "run"]

#: Imported, so that their bare names stand for them after ``--model`` and ``--data``.
MODELS = tuple(load_class(path) for path in classes.MODELS.values())
DATA_MODULES = tuple(load_class(path) for path in classes.DATA_MODULES.values())


class _Parser(LightningArgumentParser):
    """Says what is wrong in one sentence, without the usage of a hundred options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        choices = {"model": MODELS, "data": DATA_MODULES}
        names = {key: [one.__name__ for one in classes] for key, classes in choices.items()}
        raise LesionsegError(one_sentence(message, names)) from ex


class LesionCLI(LightningCLI):
    """LightningCLI whose subcommands bring the callbacks that belong to them."""

    command: Sequence[str] = ()  #: what stands behind ``lesionseg``, as it was typed
    _parsed_command = "fit"  # whose parser is being made

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """A parser whose errors are one sentence."""
        parser = _Parser(**kwargs)
        parser.add_argument(
            "-c",
            "--config",
            action=config_action(self._parsed_command),
            help="A recipe's name, or a YAML file, such as the config.yaml of a fit.",
        )
        return parser

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds trainer, model and data, and logs to ``runs`` unless told otherwise."""
        super().add_core_arguments_to_parser(parser)
        parser.set_defaults(classes.TRAINER_DEFAULTS)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        self._parsed_command = subcommand
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        for name, path in classes.CALLBACKS[subcommand].items():
            parser.add_lightning_class_args(load_class(path), name)
        parser.set_defaults(classes.COMMAND_DEFAULTS[subcommand])
        if subcommand in ("test", "predict"):
            parser.add_argument(
                "--test_time_augmentation",
                type=TestTimeAugmentation,
                default="none",
                help=TEST_TIME_AUGMENTATION,
            )
        return parser

    def before_instantiate_classes(self) -> None:
        """Refuses to score or use a network that nobody has trained."""
        checkpoint = self._get(self.config, "ckpt_path")
        if self.subcommand != "fit" and checkpoint in (None, "best", "last", "hpc"):
            raise LesionsegError(
                f"{self.subcommand} needs --ckpt_path with the file of a checkpoint, such as "
                "runs/version_0/checkpoints/best.ckpt, or --pretrained with a name of lesionseg "
                "models --pretrained."
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A Trainer that fits what torchrun has started, and that can go on when it is killed."""
        asked = self._get(self.config_init, "trainer")
        if "TORCHELASTIC_RUN_ID" in os.environ:  # Lightning would let each process train by itself
            if asked.devices == "auto":
                kwargs["devices"] = int(os.environ["LOCAL_WORLD_SIZE"])
            if asked.num_nodes == 1:
                kwargs["num_nodes"] = int(os.environ["GROUP_WORLD_SIZE"])
        given = asked.callbacks or []
        given = list(given) if isinstance(given, list) else [given]
        kwargs["callbacks"] = given + display_callbacks(asked, given)
        trainer = super().instantiate_trainer(**kwargs)
        if self.subcommand != "fit":
            checkpoint = Path(self._get(self.config_init, "ckpt_path"))
            trainer.loggers = loggers_beside(checkpoint, trainer.loggers)
        if self.subcommand == "fit":
            trainer.callbacks += [LastCheckpoint(), MonitorCheck()]  # type: ignore[attr-defined]
            if self._get(self.config_init, "ckpt_path") == "last":
                (saves,) = (one for one in trainer.callbacks if isinstance(one, SaveConfig))  # type: ignore[attr-defined]
                for logger in trainer.loggers:
                    reopen(logger, yaml.safe_load(saves.text))
            share_folder(trainer)
        return trainer

    def before_test(self) -> None:
        """Gives the model what the command line alone says, not its checkpoint."""
        self.model.test_time_augmentation = self._get(self.config, "test_time_augmentation")

        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, ScoreReport):
                callback.data = self._get(self.config, "data").as_dict()
                callback.command = self.command

    def before_predict(self) -> None:
        """As before a test."""
        self.model.test_time_augmentation = self._get(self.config, "test_time_augmentation")

    def after_fit(self) -> None:
        """Says where the run lies, what is best in it and what to do next."""
        lines = closing_lines(self.trainer)  # asks all processes
        if lines and self.trainer.is_global_zero:
            print("\n".join(lines))

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs it; where it fails, ends the processes it has started and leaves no empty folder."""
        try:
            super()._run_subcommand(subcommand)
        except BaseException as error:
            kill = getattr(self.trainer.strategy.launcher, "kill", None)
            if kill is not None:
                kill(getattr(signal, "SIGKILL", signal.SIGTERM))  # it may wait for this one
            if self.trainer.is_global_zero:
                for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
                    if isinstance(callback, SaveConfig):
                        callback.tidy()
                # not trainer.log_dir, which waits for processes that may be gone
                folders = [one.log_dir for one in self.trainer.loggers]
                for folder in (chosen_run_folder(self.trainer), *folders):
                    if folder is not None:
                        _remove_empty(Path(folder))
            complaint = missing_metric(error)
            if complaint:
                raise LesionsegError(complaint) from error
            raise

    def _parse_ckpt_path(self) -> None:
        """Does nothing: Lightning would let the checkpoint override the command line.

        ``expand_arguments`` puts the checkpoint's hyperparameters first instead.
        """


def run(arguments: list[str]) -> int:
    """Runs one Trainer command.

    Args:
        arguments: The command and what stands behind it.
    """
    _hush()
    end_with_launcher()
    arguments = with_lists(arguments)
    try:
        with plain_help(arguments):
            _run(expand_arguments(arguments), arguments)
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning makes it an exit with 1
            raise KeyboardInterrupt from error
        raise
    except LesionsegError as error:
        message = str(error)
        if type(error) is not LesionsegError or explained(message, arguments) == message:
            raise
        raise LesionsegError(explained(message, arguments)) from error
    except (ValueError, TypeError) as error:  # from a constructor, wrapped by jsonargparse
        if "Does not validate" not in str(error):
            raise
        raise LesionsegError(one_sentence(str(error), {})) from error
    return 0


def _run(arguments: list[str], typed: Sequence[str]) -> None:
    _only(arguments[0], typed)(
        SegmentationModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        seed_everything_default=0,
        save_config_callback=SaveConfig,
        parser_kwargs={"prog": "lesionseg"},
        args=arguments,
    )


def _only(command: str, typed: Sequence[str]) -> type[LesionCLI]:
    """The program with the parser of one command: each takes a tenth of a second to make."""

    class OneCommand(LesionCLI):
        command = typed

        @staticmethod
        def subcommands() -> dict[str, set[str]]:
            return {command: LesionCLI.subcommands()[command]}

    return OneCommand


def _remove_empty(folder: Path) -> None:
    for one in (folder / "checkpoints", folder, folder.parent):
        with suppress(OSError):  # not empty, or not there
            one.rmdir()


def _hush() -> None:
    """Drops what Lightning says on every run and no user of this program can act on."""
    for message in (
        "LightningCLI's args parameter is intended",
        "Be aware that when using `ckpt_path`",
        "It is recommended to use `self.log",  # of processes: the first one's losses will do
        "Experiment logs directory .* exists and is not empty",
        "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
        "Using `DistributedSampler` with the dataloaders",  # repeated images are scored once
    ):
        warnings.filterwarnings("ignore", message)
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(lambda record: "Tip: For seamless cloud" not in record.getMessage())
    launcher = logging.getLogger("lightning.fabric.strategies.launchers.subprocess_script")
    launcher.addFilter(_say_peer_lost)


def _say_peer_lost(record: logging.LogRecord) -> bool:
    """Says it as this program does where Lightning is about to kill all processes of a run."""
    if "Forcefully terminating" not in record.getMessage():
        return True
    print(f"lesionseg: error: {PEER_LOST}", file=sys.stderr, flush=True)
    return False
