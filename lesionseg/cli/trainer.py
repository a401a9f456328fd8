"""``lesionseg fit | validate | test | predict``: LightningCLI with recipes by name.

Works around three habits of LightningCLI: it lets a checkpoint's hyperparameters override the
command line, prints the usage of a hundred options with an error, and starts a separate training in
each process of torchrun.
"""

from __future__ import annotations

import os
import signal
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
from lesionseg.cli.distributed import end_with_launcher
from lesionseg.cli.help import classes
from lesionseg.cli.help.classes import load_class
from lesionseg.cli.help.lists import with_lists
from lesionseg.cli.help.mistakes import explained
from lesionseg.cli.help.sections import POST_PROCESSING, TEST_TIME_AUGMENTATION
from lesionseg.cli.lightning_output import filter_messages, plain_help
from lesionseg.cli.messages import one_sentence
from lesionseg.cli.recipes import config_action, recipe_names
from lesionseg.cli.trainer_arguments import expand_arguments
from lesionseg.errors import LesionsegError
from lesionseg.inference.regions import PostProcessing
from lesionseg.inference.tta import TestTimeAugmentation
from lesionseg.models import SegmentationModule
from lesionseg.run_folder import chosen_run_folder, share_folder

__all__ = ["LesionCLI", "recipe_names", "run"]

#: Imported, so that ``--model`` and ``--data`` accept their names without a module.
MODELS = tuple(load_class(path) for path in classes.MODELS.values())
DATA_MODULES = tuple(load_class(path) for path in classes.DATA_MODULES.values())


class DataParser(LightningArgumentParser):
    """Report an error in one sentence, without the usage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        choices = {"model": MODELS, "data": DATA_MODULES}
        names = {key: [cls.__name__ for cls in known] for key, known in choices.items()}
        raise LesionsegError(one_sentence(message, names)) from ex


class LesionCLI(LightningCLI):
    """LightningCLI with the parser and the callbacks of one command.

    Make it with :func:`command_line_of`. A parser for each of LightningCLI's commands would take a
    tenth of a second more each.
    """

    command = "fit"
    words: Sequence[str] = ()  #: command and arguments, as typed
    command_parser: LightningArgumentParser
    _checkpoint: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except BaseException as error:
            if not hasattr(self, "trainer"):  # nothing has run
                raise
            self._clean_up()
            complaint = missing_metric(error)
            if complaint:
                raise LesionsegError(complaint) from error
            raise

    @classmethod
    def subcommands(cls) -> dict[str, set[str]]:
        """Return the one command and the arguments of its Trainer method that are no options."""
        return {cls.command: LightningCLI.subcommands()[cls.command]}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Return a parser whose errors are one sentence."""
        parser = DataParser(**kwargs)
        parser.add_argument(
            "-c",
            "--config",
            action=config_action(self.command),
            help="A recipe's name, or a YAML file, such as the config.yaml of a fit.",
        )
        return parser

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add trainer, model and data; logs go to ``runs`` by default."""
        super().add_core_arguments_to_parser(parser)
        parser.set_defaults(classes.TRAINER_DEFAULTS)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Keep the command's parser; the Trainer method's own options are added after this."""
        self.command_parser = parser

    def setup_parser(self, *args: Any, **kwargs: Any) -> None:
        """Add the options of the command's callbacks behind those of Lightning."""
        super().setup_parser(*args, **kwargs)
        parser = self.command_parser
        for name, path in classes.CALLBACKS[self.command].items():
            parser.add_lightning_class_args(load_class(path), name)
        parser.set_defaults(classes.COMMAND_DEFAULTS[self.command])
        if self.command in ("test", "predict"):
            parser.add_argument(
                "--test_time_augmentation",
                type=TestTimeAugmentation,
                default="none",
                help=TEST_TIME_AUGMENTATION,
            )
            parser.add_argument(
                "--postprocess", type=PostProcessing, default="none", help=POST_PROCESSING
            )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and hide the checkpoint from LightningCLI until the classes are instantiated.

        LightningCLI would let the checkpoint's hyperparameters override the command line;
        ``expand_arguments`` has put them before it.
        """
        super().parse_arguments(parser, args)
        options = self.config[self.command]
        self._checkpoint = options.get("ckpt_path")
        if self._checkpoint is not None:
            options["ckpt_path"] = None

    def before_instantiate_classes(self) -> None:
        """Refuse to score or use a network that was not trained.

        Raises:
            LesionsegError: If a command other than fit has no checkpoint.
        """
        if self._checkpoint is not None:
            self.config[self.command]["ckpt_path"] = self._checkpoint
        if self.command != "fit" and self._checkpoint in (None, "best", "last", "hpc"):
            raise LesionsegError(
                f"{self.command} needs --ckpt_path with the file of a checkpoint, such as "
                "runs/version_0/checkpoints/best.ckpt, or --pretrained with a name of lesionseg "
                "models --pretrained."
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return a Trainer that suits torchrun and whose fits can be resumed."""
        asked = self.config_init[self.command]["trainer"]
        if "TORCHELASTIC_RUN_ID" in os.environ:  # else each process would train by itself
            if asked.devices == "auto":
                kwargs["devices"] = int(os.environ["LOCAL_WORLD_SIZE"])
            if asked.num_nodes == 1:
                kwargs["num_nodes"] = int(os.environ["GROUP_WORLD_SIZE"])
        given = asked.callbacks or []
        given = list(given) if isinstance(given, list) else [given]
        kwargs["callbacks"] = given + display_callbacks(asked, given)
        trainer = super().instantiate_trainer(**kwargs)
        if self.command != "fit":
            checkpoint = Path(str(self._checkpoint))
            trainer.loggers = loggers_beside(checkpoint, trainer.loggers)
            return trainer
        trainer.callbacks += [LastCheckpoint(), MonitorCheck()]  # type: ignore[attr-defined]
        if self._checkpoint == "last":
            (save_config,) = _of_type(trainer, SaveConfig)
            for logger in trainer.loggers:
                reopen(logger, yaml.safe_load(save_config.text))
        share_folder(trainer)
        return trainer

    def before_test(self) -> None:
        """Give the model and the report what only the command line says."""
        self.before_predict()
        for report in _of_type(self.trainer, ScoreReport):
            report.data = self.config[self.command]["data"].as_dict()
            report.command = self.words

    def before_predict(self) -> None:
        """Give the model what no checkpoint has: test-time augmentation and post-processing."""
        options = self.config[self.command]
        self.model.test_time_augmentation = options["test_time_augmentation"]
        self.model.postprocess = options["postprocess"]

    def after_fit(self) -> None:
        """Print the run's folder, its best epoch and the next command."""
        lines = closing_lines(self.trainer)  # a collective call
        if lines and self.trainer.is_global_zero:
            print("\n".join(lines))

    def _clean_up(self) -> None:
        """End the processes that a failed run has started, and remove its empty folders."""
        trainer = self.trainer
        kill = getattr(trainer.strategy.launcher, "kill", None)
        if kill is not None:
            kill(getattr(signal, "SIGKILL", signal.SIGTERM))  # they may wait for this process
        if not trainer.is_global_zero:
            return
        for callback in _of_type(trainer, SaveConfig):
            callback.tidy()
        # not trainer.log_dir, which waits for processes that may have ended
        folders = [chosen_run_folder(trainer), *(logger.log_dir for logger in trainer.loggers)]
        for folder in folders:
            if folder is not None:
                _remove_empty(Path(folder))


def command_line_of(name: str, typed: Sequence[str]) -> type[LesionCLI]:
    """Return the LightningCLI of one command.

    Args:
        name: ``fit``, ``validate``, ``test`` or ``predict``.
        typed: Command and arguments, for the record of a test.
    """

    class CommandLine(LesionCLI):
        command = name
        words = typed

    return CommandLine


def run(arguments: list[str]) -> int:
    """Run one of the Trainer's commands.

    Args:
        arguments: Command and its arguments.

    Raises:
        LesionsegError: If an argument or a file is wrong; the message is one sentence.
    """
    filter_messages()
    end_with_launcher()
    arguments = with_lists(arguments)
    try:
        with plain_help(arguments):
            _run(expand_arguments(arguments), arguments)
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning exits with 1
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
    command_line_of(arguments[0], typed)(
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


def _of_type(trainer: Trainer, kind: type[Any]) -> list[Any]:
    """Return the Trainer's callbacks of a class."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, kind)]


def _remove_empty(folder: Path) -> None:
    for path in (folder / "checkpoints", folder, folder.parent):
        with suppress(OSError):  # not empty, or missing
            path.rmdir()
