"""Trained models as folders: weights in safetensors, a card that describes them, training ids.

Those that come with the package lie in ``weights``. Reading a folder runs no code that is in it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionseg.errors import CheckpointError
from lesionseg.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CARD, TRAINED_ON = "model.safetensors", "card.json", "trained-on.txt"
"""The files of a model's folder."""
DEFAULT = "asnet-lite"
"""The model that photographs are segmented with where none is named."""
FORMAT = 1

_PACKAGED = Path(__file__).parent / "weights"
_NETWORK = "network."


def list_pretrained() -> list[str]:
    """Return the names of the trained models that come with the package.

    Example:
        >>> import lesionseg
        >>> lesionseg.list_pretrained()
        ['asnet-lite', 'mobilegan', 'mobilegan-distilled']
    """
    return sorted(path.parent.name for path in _PACKAGED.glob(f"*/{CARD}"))


def find_pretrained(source: str | Path) -> Path | None:
    """Return the folder of a trained model.

    A file or a model's folder of this name is preferred to a model of the package.

    Args:
        source: A name of :func:`list_pretrained`, a folder that ``save_pretrained`` wrote, or the
            file of weights in one.

    Returns:
        The folder; None if this is something else, such as a checkpoint.

    Raises:
        CheckpointError: If it is a folder without a card, or a file of weights without one.
    """
    path = Path(source)
    if path.suffix == ".safetensors":
        if not path.is_file():
            return None
        if path.name == WEIGHTS and (path.parent / CARD).is_file():
            return path.parent
        raise CheckpointError(
            f"{path} has no card beside it; give a folder with {WEIGHTS} and {CARD}, as "
            "save_pretrained writes it."
        )
    if path.is_file() or (path / CARD).is_file():
        return path if path.is_dir() else None
    if str(source) in list_pretrained():
        return _PACKAGED / str(source)
    if path.is_dir():
        raise CheckpointError(
            f"the folder {path} holds no {CARD}; give a folder that save_pretrained wrote, or the "
            "path of a checkpoint in it."
        )
    return None


def is_packaged(path: Path) -> bool:
    """Return whether a file is of a model that comes with the package."""
    return _PACKAGED in path.parents


def suggest_names(source: str) -> str:
    """Return what to say where there is no trained model of a name."""
    close = difflib.get_close_matches(source, list_pretrained(), 1)
    return f"did you mean {close[0]}?" if close else f"names are {', '.join(list_pretrained())}"


def read_card(folder: Path) -> dict[str, Any]:
    """Read what a folder says of its model.

    Raises:
        CheckpointError: If the card is not one that this version of the package can read.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a model's card ({type(error).__name__})."
        ) from error
    if not isinstance(card, dict) or not isinstance(card.get("format"), int):
        raise CheckpointError(f"{path} is not a card of a lesionseg model.")
    if card["format"] > FORMAT:
        raise CheckpointError(f"{path} is of a later lesionseg; install a newer version.")
    for name in ("network", "model", "weights", "trained_on"):
        if not isinstance(card.get(name), dict):
            raise CheckpointError(f"{path} is damaged: it does not describe its {name}.")
    return card


def packaged_card(name: str) -> dict[str, Any]:
    """Read the card of a model that comes with the package.

    Raises:
        CheckpointError: If there is no such model.
    """
    if name not in list_pretrained():
        raise CheckpointError(f"there is no pretrained model {name!r}; {suggest_names(name)}.")
    return read_card(_PACKAGED / name)


def read_pretrained(folder: Path) -> dict[str, Any]:
    """Read a model's folder as a checkpoint.

    Args:
        folder: See :func:`find_pretrained`.

    Returns:
        The dict that a checkpoint of the model holds, with the weights of its network alone.

    Raises:
        CheckpointError: If a file is absent or broken, or is not the one that the card describes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    card = read_card(folder)
    content = _checked(folder / WEIGHTS, card["weights"])
    try:
        state = load(content)
    except (SafetensorError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{folder / WEIGHTS} cannot be read as safetensors.") from error
    ids = _checked(folder / TRAINED_ON, card["trained_on"]).decode("ascii", "replace").split()
    arguments = card["model"].get("init_args")
    if not isinstance(arguments, dict) or not isinstance(card["model"].get("class_path"), str):
        raise CheckpointError(f"{folder / CARD} is damaged: it does not name its model's class.")
    return {
        "state_dict": {f"{_NETWORK}{name}": value for name, value in state.items()},
        "hyper_parameters": {**arguments, "_class_path": card["model"]["class_path"]},
        "lesionseg": {
            "version": card.get("version"),
            "network": card["network"],
            "size": card.get("size"),
            "threshold": card.get("threshold"),
            "trained_on": ids,
            "seed": None,
            "network_only": True,
        },
        "epoch": card.get("epoch", 0),
        "global_step": 0,
        "pytorch-lightning_version": "2.6.0",  # without one Lightning takes it for a very old one
    }


def write_pretrained(
    folder: Path, card: Mapping[str, Any], state: Mapping[str, Tensor], ids: Collection[str]
) -> dict[str, Any]:
    """Write a model's folder.

    Args:
        folder: Is made if it is absent.
        card: What is to be said of the model, besides its files.
        state: Weights of its network by their names in it; kept in the type that they have.
        ids: Of the images that it was trained on.

    Returns:
        The card as it was written, with the files' SHA-256.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    listed = "".join(f"{one}\n" for one in sorted(ids)).encode("ascii")
    card = {
        "format": FORMAT,
        **card,
        "weights": {"file": WEIGHTS, "sha256": _sha256(weights)},
        "trained_on": {"file": TRAINED_ON, "images": len(ids), "sha256": _sha256(listed)},
    }
    text = (json.dumps(card, indent=1) + "\n").encode()
    for name, content in ((WEIGHTS, weights), (TRAINED_ON, listed), (CARD, text)):
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    return card


def network_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the network that segments, of a model's whole state."""
    return {
        name.removeprefix(_NETWORK): value
        for name, value in state.items()
        if name.startswith(_NETWORK)
    }


def _checked(path: Path, about: Mapping[str, Any]) -> bytes:
    """The content of a file, whose checksum must be the card's."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read; get the model's folder again.") from error
    if _sha256(content) != about.get("sha256"):
        raise CheckpointError(
            f"{path} is not the file that its card describes (its SHA-256 differs); it was cut off "
            "or changed, so it is not used: get it again."
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
