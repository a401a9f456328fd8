"""Read checkpoints and other files of weights, without running code from them."""

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
from lesionseg.hub import locate_pretrained
from lesionseg.pretrained import read_pretrained, suggest_names

OUTSIDE_WEIGHTS = ("encoder_weights", "init_from")
"""Arguments that load weights from other sources, which a checkpoint makes needless."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # a Windows drive is a single letter
_MAX_EXPANSION, _SPARE_BYTES = 2, 1 << 20  # torch.save does not compress

Location = str | torch.device | Callable[[Any, str], Any] | dict[str, str] | None
"""Device of loaded tensors; see :func:`torch.load`."""


def load_weights(path: str | Path, map_location: Location = "cpu") -> Any:
    """Read a file of ``torch.save`` that holds tensors and plain values only.

    Args:
        path: Path of a local file.
        map_location: See :func:`torch.load`.

    Returns:
        Content of the file.

    Raises:
        CheckpointError: If the path is a URL, there is no such file, it cannot be read, or it holds
            objects that could run code.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from lesionseg.checkpoints import load_weights
        >>> with TemporaryDirectory() as folder:
        ...     torch.save({"weight": torch.ones(2)}, Path(folder, "a.pt"))
        ...     load_weights(Path(folder, "a.pt"))
        {'weight': tensor([1., 1.])}
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
    """Read a Lightning checkpoint with :func:`load_weights`, or a pretrained model.

    Sources of pretrained weights are set to None in the arguments of model and network, so that
    models built from them neither look for files nor download.

    Args:
        path: Path of a local file, or source of :func:`lesionseg.hub.locate_pretrained`.
        map_location: See :func:`torch.load`.

    Returns:
        Checkpoint, with the dicts ``state_dict`` and ``hyper_parameters`` at least.

    Raises:
        CheckpointError: If :func:`load_weights` raises it, the file is not a checkpoint, or the
            folder of the pretrained model is incomplete or was changed.

    Example:
        >>> from lesionseg.checkpoints import read_checkpoint
        >>> read_checkpoint("asnet-lite")["hyper_parameters"]["_class_path"]
        '...'
    """
    folder = locate_pretrained(path)
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
            f"{path} is not a checkpoint: it holds no state_dict; give the .ckpt file of a fit."
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
    """Refuse ``weights_only=False``, with which a file could run code.

    Raises:
        ValueError: If it is False.
    """
    if weights_only is False:
        raise ValueError(
            "expected weights_only to be True or None, got False, which would run code of the file"
        )


def forget(arguments: dict[str, Any], names: Iterable[str] = OUTSIDE_WEIGHTS) -> None:
    """Set entries of a dict to None in place, also in nested dicts and lists.

    Example:
        >>> from lesionseg.checkpoints import forget
        >>> arguments = {"width": 8, "encoder": [{"encoder_weights": "imagenet"}]}
        >>> forget(arguments)
        >>> arguments
        {'width': 8, 'encoder': [{'encoder_weights': None}]}
    """
    for key, value in arguments.items():
        if key in names:
            arguments[key] = None
        else:
            arguments[key] = _without(value, names)


def _without(value: Any, names: Iterable[str]) -> Any:
    """Copy nested dicts and lists, and apply :func:`forget` to them."""
    if isinstance(value, dict):
        value = dict(value)
        forget(value, names)
    elif isinstance(value, list):
        value = [_without(item, names) for item in value]
    return value


def _check_expansion(path: Path) -> None:
    """Refuse a small file that expands to a huge one."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        expanded = sum(info.file_size for info in archive.infolist())
    if expanded > _MAX_EXPANSION * path.stat().st_size + _SPARE_BYTES:
        raise ValueError(f"it would expand to {expanded} bytes")


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read as a checkpoint; it may be incomplete or another kind of file "
        f"({type(error).__name__})."
    )
