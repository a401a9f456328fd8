"""``lesionseg fit | validate | test | predict``: LightningCLI with recipes by name."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from lesionseg.checkpoints import OUTSIDE_WEIGHTS, read_checkpoint
from lesionseg.cli_help import classes
from lesionseg.cli_help.classes import load_class
from lesionseg.cli_help.lists import with_lists
from lesionseg.cli_help.mistakes import explained
from lesionseg.cli_help.page import plain_help
from lesionseg.cli_help.recipes import recipe_names, recipe_path
from lesionseg.cli_help.sections import TEST_TIME_AUGMENTATION
from lesionseg.cli_messages import one_sentence
from lesionseg.config_file import config_action
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.evaluation.fit_display import closing_lines, display_callbacks
from lesionseg.evaluation.going_on import CONFIG, refuse_replacing, reopen
from lesionseg.evaluation.last_checkpoint import LastCheckpoint
from lesionseg.evaluation.monitored import MonitorCheck, missing_metric
from lesionseg.evaluation.result_folder import loggers_beside
from lesionseg.evaluation.score_report import ScoreReport
from lesionseg.files import atomic_path
from lesionseg.given_options import class_name, model_of, option_value
from lesionseg.inference.views import TestTimeAugmentation
from lesionseg.models import SegmentationModule
from lesionseg.peers import PEER_LOST, end_with_launcher
from lesionseg.pretrained import WEIGHTS, find_pretrained, suggest_names
from lesionseg.run_folder import choose_run_folder, chosen_run_folder, share_folder

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


#: What a fit writes in its folder before its first step, such as checkpoints that it resumes from.
_LEFT_BY_A_FIT = (
    *(CONFIG, "splits", "overlays", "metrics.csv", "hparams.yaml", ".lock"),
    "checkpoints",
)


class _SaveConfig(SaveConfigCallback):
    """Chooses the folder of a fit and saves the whole configuration in it.

    Lightning's writes to the folder of all runs where the logger has none of its own.
    """

    new: Sequence[Path] = ()  # what this fit alone may have written before its first step

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, before the checkpoint callbacks, whose setup comes last."""
        if stage != "fit":
            return
        folder = choose_run_folder(trainer)
        if folder is not None:
            refuse_replacing(folder, self.config.get("ckpt_path"))
            here = {path.name for path in folder.glob("*")}
            self.new = [folder / name for name in _LEFT_BY_A_FIT if name not in here]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to start from the beginning what was to resume."""
        if self.config.get("ckpt_path") == "last" and trainer.ckpt_path is None:
            raise LesionsegError(
                "there is nothing to resume: no last.ckpt was found; leave --ckpt_path last out to "
                "start a fit, or give the path of a checkpoint."
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the configuration, now that nothing has refused the fit and its images."""
        folder = chosen_run_folder(trainer)
        if folder is not None and trainer.is_global_zero:
            with atomic_path(folder / CONFIG) as unfinished:
                unfinished.write_text(self.text, encoding="utf-8")

    def on_train_batch_end(self, *_: Any) -> None:
        """Keep what is in the folder from here on, however the fit ends."""
        self.new = []

    def tidy(self) -> None:
        """Remove what a fit has written that never trained."""
        for path in self.new:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @property
    def text(self) -> str:
        """What is saved."""
        text: str = self.parser.dump(self.config, skip_none=False)
        return text


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
                (saves,) = (one for one in trainer.callbacks if isinstance(one, _SaveConfig))  # type: ignore[attr-defined]
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
                    if isinstance(callback, _SaveConfig):
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

        :func:`_with_checkpoint` puts the checkpoint's hyperparameters first instead.
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
            _run(_with_checkpoint(_with_pretrained(_with_recipes(arguments))), arguments)
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
        save_config_callback=_SaveConfig,
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
