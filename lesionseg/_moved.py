"""Modules under their names of version 0.1, for one release.

Configurations and checkpoints of that version name classes by them.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder

    class _Importer(MetaPathFinder, Loader): ...
else:  # importlib.abc would take most of the time of ``import lesionseg``
    _Importer = object

P = ParamSpec("P")
R = TypeVar("R")

#: Old names and new, below ``lesionseg``.
MOVED = {
    "cli_messages": "cli.messages",
    "cli_streams": "cli.streams",
    "config_file": "cli.recipes",
    "data.arrays": "data.io.arrays",
    "data.augmentation": "data.transforms.augmentation",
    "data.base_module": "data.datamodules.base",
    "data.colour_constancy": "data.transforms.color_constancy",
    "data.drawing.artefacts": "data.drawing.artifacts",
    "data.drawing.skin": "data.drawing.lesion",
    "data.decoding": "data.io.decoding",
    "data.download_command": "cli.download",
    "data.equalisation": "data.transforms.clahe",
    "data.file_names": "data.discovery.names",
    "data.folder": "data.datasets.folder",
    "data.folder_module": "data.datamodules.folder",
    "data.folder_names": "data.discovery.names",
    "data.image_set": "data.discovery.image_set",
    "data.isic": "data.datasets.isic",
    "data.isic_module": "data.datamodules.isic",
    "data.late_loader": "data.datamodules.loader",
    "data.leaving_out": "data.datasets.skip_invalid",
    "data.listing": "data.discovery.names",
    "data.mask_values": "data.io.mask_values",
    "data.pairs": "data.datasets.paired",
    "data.path_lists": "data.discovery.sources",
    "data.ph2": "data.datasets.ph2",
    "data.ph2_module": "data.datamodules.ph2",
    "data.pixel_modes": "data.io.pixel_modes",
    "data.reading": "data.io.reading",
    "data.recipe": "data.input_defaults",
    "data.resizing": "data.io.resizing",
    "data.sample": "data.datasets.sample",
    "data.sampler": "data.datamodules.loader",
    "data.sources": "data.discovery.sources",
    "data.synthetic": "data.datasets.synthetic",
    "data.synthetic_module": "data.datamodules.synthetic",
    "data.thread_pool": "data.io.thread_pool",
    "evaluation.best_checkpoint": "callbacks.best_checkpoint",
    "evaluation.claim": "experiments.run_lock",
    "evaluation.comparison": "scoring.comparison",
    "evaluation.comparison_command": "cli.compare",
    "evaluation.comparison_plot": "scoring.comparison_plot",
    "evaluation.comparison_table": "scoring.comparison_table",
    "evaluation.cross_validation": "experiments.cross_validation",
    "evaluation.fit_display": "callbacks.fit_display",
    "evaluation.fold_scores": "experiments.fold_scores",
    "evaluation.going_on": "callbacks.resume",
    "evaluation.jobs": "experiments.jobs",
    "evaluation.last_checkpoint": "callbacks.last_checkpoint",
    "evaluation.mask_pairing": "scoring.mask_pairing",
    "evaluation.mask_source": "scoring.mask_source",
    "evaluation.mask_writer": "callbacks.prediction_writer",
    "evaluation.monitored": "callbacks.monitor_check",
    "evaluation.overlay_logger": "callbacks.overlay_logger",
    "evaluation.pair_counting": "scoring.pair_counting",
    "evaluation.paper_table": "experiments.paper_table",
    "evaluation.progress": "callbacks.fit_display",
    "evaluation.provenance": "callbacks.provenance",
    "evaluation.reproduction": "experiments.reproduction",
    "evaluation.reproduction_plot": "experiments.reproduction_plot",
    "evaluation.reproduction_report": "experiments.reproduction_report",
    "evaluation.reproduction_results": "experiments.reproduction_results",
    "evaluation.result_folder": "callbacks.result_folder",
    "evaluation.run_logger": "callbacks.csv_logger",
    "evaluation.score_report": "callbacks.score_report",
    "evaluation.scoring": "scoring.predictions",
    "evaluation.tested_runs": "scoring.tested_runs",
    "export.command": "cli.export",
    "export.exporting": "export.checkpoint",
    "given_options": "cli.options",
    "inference.command": "cli.segment",
    "inference.exported": "inference.onnx",
    "inference.views": "inference.tta",
    "inspection.command": "cli.inspect",
    "inspection.inspecting": "inspection.scan",
    "inspection.small": "data.io.reading",
    "losses.precision": "losses.base",
    "metrics.binarize": "metrics.inputs",
    "metrics.image_ids": "metrics.inputs",
    "models.checkpoint_io": "callbacks.checkpoint_io",
    "models.optimisation": "models.optimizers",
    "models.resuming": "models.resume",
    "models.seeding": "models.resume",
    "models.trained_on": "models.leakage",
    "networks.he": "networks.base",
    "networks.image_synthesiser": "networks.image_synthesizer",
    "networks.listing": "networks.summary",
    "networks.resnet_encoder": "networks.torchvision_encoders",
    "networks.vgg_encoder": "networks.torchvision_encoders",
    "overlay": "visualization",
    "peers": "cli.distributed",
    "process_errors": "data.datamodules.worker_errors",
    "trainer_cli": "cli.trainer",
    "training_job": "experiments.worker",
}
_PACKAGES = ("evaluation",)  # of which nothing is left


class MovedModules(_Importer):
    """Import a module that has moved under its old name, with a deprecation warning."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module under its old name."""
        package, _, name = fullname.partition(".")
        if package != "lesionseg" or not (name in MOVED or name in _PACKAGES):
            return None
        return ModuleSpec(fullname, self, is_package=name in _PACKAGES)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create a module as usual."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new name in the place of the old one."""
        name = module.__name__.partition(".")[2]
        if name in _PACKAGES:
            return
        new = f"lesionseg.{MOVED[name]}"
        warnings.warn(
            f"{module.__name__} is now {new}; the old name will be removed in the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        sys.modules[module.__name__] = import_module(new)


def install() -> None:
    """Make the old names importable."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())


def renamed(
    module: str, names: Mapping[str, str], fallback: Callable[[str], Any] | None = None
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module that accepts the old names of its members.

    Args:
        module: Name of the module.
        names: New names by old ones.
        fallback: The ``__getattr__`` that the module has otherwise.
    """

    def get(name: str) -> Any:
        if name in names:
            warn_renamed(f"{module}.{name}", f"{module}.{names[name]}")
            return getattr(import_module(module), names[name])
        if fallback is not None:
            return fallback(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get


def renamed_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts the old names of a function's keyword arguments.

    Args:
        names: New names by old ones.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in names.items():
                if old in kwargs:
                    warn_renamed(f"the argument {old} of {function.__qualname__}", new)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate


class RenamedAttribute:
    """An attribute of a class and of its instances under an old name.

    Args:
        name: The new name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, instance: object, owner: type) -> Any:
        warn_renamed(f"{owner.__name__}.{self.old}", f"{owner.__name__}.{self.name}")
        return getattr(owner if instance is None else instance, self.name)

    def __set__(self, instance: object, value: object) -> None:
        owner = type(instance).__name__
        warn_renamed(f"{owner}.{self.old}", f"{owner}.{self.name}")
        setattr(instance, self.name, value)


def warn_renamed(old: str, new: str) -> None:
    """Warn the caller of the caller that a name is an old one."""
    warnings.warn(
        f"{old} is now {new}; the old name will be removed in the next release.",
        FutureWarning,
        stacklevel=3,
    )
