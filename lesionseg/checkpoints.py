"""Checkpoints and other files of weights: the only place that reads them, and it runs no code."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lesionseg.errors import CheckpointError
from lesionseg.pretrained import find_pretrained, read_pretrained, suggest_names

OUTSIDE_WEIGHTS = ("encoder_weights", "init_from")
"""Arguments that ask for weights from outside; a checkpoint holds weights, not these."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # a drive of Windows has one letter
_MOST_EXPANSION, _SPARE_BYTES = 2, 1 << 20  # torch.save compresses nothing

Location = str | torch.device | Callable[[Any, str], Any] | dict[str, str] | None
"""Where tensors go; see :func:`torch.load`."""


def load_weights(path: str | Path, map_location: Location = "cpu") -> Any:
    """Read what ``torch.save`` wrote: tensors and plain values, nothing that could run code.

    Args:
        path: Of a local file.
        map_location: See :func:`torch.load`.

    Returns:
        The content of the file.

    Raises:
        CheckpointError: If it is a URL, there is no such file, it cannot be read, or it holds
            anything else than tensors and plain values.
    """
    if _URL.match(str(path)):
        raise CheckpointError(f"{path} is a URL; download the file and give its path.")
    path = Path(path)
    if not path.exists():
        hint = suggest_names(str(path)) if path.parent == Path() and not path.suffix else ""
        hint = f", or name a pretrained model ({hint})" if hint else ""
        raise CheckpointError(f"there is no checkpoint {path}; check the path{hint}.")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a regular file; give the path of a checkpoint.")
    try:
        _check_expansion(path)
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error):  # the class or function that it names
            raise _unreadable(path, error) from error
        raise CheckpointError(
            f"{path} holds more than weights and plain values, which could run code, so it is not "
            "loaded; ask its author for a file that torch.load(..., weights_only=True) can read."
        ) from error
    except Exception as error:  # torch raises many kinds for a broken file
        raise _unreadable(path, error) from error


def read_checkpoint(path: str | Path, map_location: Location = "cpu") -> dict[str, Any]:
    """Read a checkpoint of Lightning with :func:`load_weights`, or a pretrained model.

    Sources of pretrained weights are set to None in the arguments of model and network, so that
    nothing that is built from them looks for files or downloads.

    Args:
        path: Of a local file, or what :func:`lesionseg.pretrained.find_pretrained` takes.
        map_location: See :func:`torch.load`.

    Returns:
        The checkpoint, with the dicts ``state_dict`` and ``hyper_parameters`` at least.

    Raises:
        CheckpointError: As :func:`load_weights`, or if the file is not a checkpoint, or the
            pretrained model's folder is incomplete or was changed.
    """
    folder = find_pretrained(path)
    checkpoint: dict[str, Any]
    if folder is None:
        checkpoint = load_weights(path, map_location)
    else:
        checkpoint = read_pretrained(folder)
        if isinstance(map_location, str | torch.device):
            state = checkpoint["state_dict"]
            checkpoint["state_dict"] = {
                name: value.to(map_location) for name, value in state.items()
            }
    state = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise CheckpointError(
            f"{path} is not a checkpoint: it holds no state_dict; give a .ckpt file of a fit."
        )
    hyper_parameters = checkpoint.setdefault("hyper_parameters", {})
    if not isinstance(hyper_parameters, dict):
        raise CheckpointError(f"{path} is damaged: its hyper_parameters are not a dict.")
    hyper_parameters.pop("_instantiator", None)  # Lightning would import and call it
    forget(hyper_parameters)
    about = checkpoint.get("lesionseg")
    if isinstance(about, dict) and isinstance(about.get("network"), dict):
        forget(about["network"])
    return checkpoint


def check_weights_only(weights_only: bool | None) -> None:
    """Refuse the one value of Lightning's argument that would let a file run code.

    Raises:
        ValueError: If it is False.
    """
    if weights_only is False:
        raise ValueError("weights_only=False would run code that a file holds; leave it out.")


def forget(arguments: dict[str, Any], names: Iterable[str] = OUTSIDE_WEIGHTS) -> None:
    """Set the named entries of a dict to None in place, also those of dicts and lists in it."""
    for key, value in arguments.items():
        if key in names:
            arguments[key] = None
        else:
            arguments[key] = _without(value, names)


def _without(value: Any, names: Iterable[str]) -> Any:
    """A copy of the dicts and lists in a value, without what :func:`forget` forgets."""
    if isinstance(value, dict):
        value = dict(value)
        forget(value, names)
    elif isinstance(value, list):
        value = [_without(one, names) for one in value]
    return value


def _check_expansion(path: Path) -> None:
    """Refuse a small file that unpacks to a huge one."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > _MOST_EXPANSION * path.stat().st_size + _SPARE_BYTES:
        raise ValueError(f"it would unpack to {unpacked} bytes")


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read as a checkpoint; it may be cut off or something else "
        f"({type(error).__name__})."
    )
