"""Build a model from a checkpoint, without running code that the file may hold."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from lightning.pytorch import LightningModule
from torch import UntypedStorage

from lesionseg.checkpoints import Location, read_checkpoint
from lesionseg.errors import CheckpointError, LesionsegError

Model = TypeVar("Model", bound=LightningModule)


def load_model(
    cls: type[Model],
    path: str | Path,
    map_location: Location,
    hparams_file: str | Path | None,
    strict: bool | None,
    overrides: dict[str, Any],
) -> Model:
    """Build a model with the arguments and weights of a checkpoint.

    Args:
        cls: Class of the model.
        path: Path of a local file, or a folder of ``save_pretrained``.
        map_location: See :func:`torch.load`; None takes the device that the weights were saved
            from, or the CPU if there is no such device.
        hparams_file: YAML file of arguments that replace the checkpoint's.
        strict: Whether the names of the weights must be exactly the model's; None takes
            ``strict_loading``.
        overrides: Arguments of the model that override the checkpoint's.

    Raises:
        CheckpointError: If the file cannot be read, or its arguments or weights do not fit.
    """
    checkpoint = read_checkpoint(path, _where_saved if map_location is None else map_location)
    arguments = checkpoint["hyper_parameters"]
    if hparams_file is not None:
        arguments = yaml.safe_load(Path(hparams_file).read_text(encoding="utf-8"))
    arguments = {**arguments, **overrides}
    arguments.pop("_class_path", None)
    parameters = inspect.signature(cls).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        arguments = {name: value for name, value in arguments.items() if name in parameters}
    try:
        model = cls(**arguments)
    except LesionsegError:
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the arguments in {path} do not fit {cls.__name__}: {error}"
        ) from error
    model.configure_model()
    model.on_load_checkpoint(checkpoint)
    state = checkpoint["state_dict"]
    try:
        model.load_state_dict(state, strict=model.strict_loading if strict is None else strict)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights in {path} do not fit {cls.__name__}: {error}"
        ) from error
    return model.to(next((value.device for value in state.values()), torch.device("cpu")))


def rename_weights(state: dict[str, Any]) -> None:
    """Give the weights of a checkpoint of version 0.1 their current names, in place."""
    for name in [name for name in state if name.startswith("synthesiser.")]:
        state[name.replace("synthesiser", "synthesizer", 1)] = state.pop(name)


def _where_saved(storage: UntypedStorage, location: str) -> UntypedStorage | None:
    """Keep a storage on its device if there is one, else move it to the CPU."""
    kind = location.partition(":")[0]
    accelerator = torch.accelerator.current_accelerator()
    if kind == "cpu" or (
        accelerator is not None and kind == accelerator.type and torch.accelerator.is_available()
    ):
        return None
    moved: UntypedStorage = storage.cpu()  # type: ignore[no-untyped-call]
    return moved
