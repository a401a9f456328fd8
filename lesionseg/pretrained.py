"""Folders of trained models: weights in safetensors, a card that describes them, training ids.

The models of the package are in ``weights``. Reading a folder runs no code from it.
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
"""Files in the folder of a model."""
DEFAULT = "asnet-lite"
"""Model that segments photographs unless another is named."""
FORMAT = 1
CALIBRATED = ("temperature", "calibrated_on")
"""What ``lesionseg calibrate`` adds to a card or a checkpoint, beside its threshold."""

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

    An existing file or folder of a model is preferred to a model of the package.

    Args:
        source: Name of :func:`list_pretrained`, folder of ``save_pretrained``, or its file of
            weights.

    Returns:
        Folder of the model; None if ``source`` is something else, such as a checkpoint.

    Raises:
        CheckpointError: If the folder, or that of the file of weights, has no card.

    Example:
        >>> from lesionseg.pretrained import find_pretrained
        >>> sorted(path.name for path in find_pretrained("asnet-lite").iterdir())
        [...'card.json', 'model.safetensors', 'trained-on.txt'...]
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
    """Return whether a file is part of a model of the package."""
    return _PACKAGED in path.parents


def suggest_names(source: str) -> str:
    """Suggest a name for an unknown model, for messages."""
    close = difflib.get_close_matches(source, list_pretrained(), 1)
    return f"did you mean {close[0]}?" if close else f"names are {', '.join(list_pretrained())}"


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card in the folder of a model.

    Raises:
        CheckpointError: If there is no card that this version of the package can read.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a model's card ({type(error).__name__})."
        ) from error
    if not isinstance(card, dict) or not isinstance(card.get("format"), int):
        raise CheckpointError(f"{path} is not the card of a lesionseg model.")
    if card["format"] > FORMAT:
        raise CheckpointError(f"{path} is of a later version of lesionseg; upgrade lesionseg.")
    for name in ("network", "model", "weights", "trained_on"):
        if not isinstance(card.get(name), dict):
            raise CheckpointError(f"{path} is damaged: it does not describe its {name}.")
    return card


def packaged_card(name: str) -> dict[str, Any]:
    """Read the card of a model of the package.

    Raises:
        CheckpointError: If there is no such model.

    Example:
        >>> from lesionseg.pretrained import packaged_card
        >>> packaged_card("asnet-lite")["size"]
        [256, 256]
    """
    if name not in list_pretrained():
        raise CheckpointError(f"there is no pretrained model {name!r}; {suggest_names(name)}.")
    return read_card(_PACKAGED / name)


def read_pretrained(folder: Path) -> dict[str, Any]:
    """Read the folder of a model as a checkpoint.

    Args:
        folder: Folder of :func:`find_pretrained`.

    Returns:
        Content of a checkpoint of the model, with the weights of its network only.

    Raises:
        CheckpointError: If a file is absent or damaged, or differs from that of the card.
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
    calibrated = {name: card[name] for name in CALIBRATED if name in card}
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
            **calibrated,
        },
        "epoch": card.get("epoch", 0),
        "global_step": 0,
        "pytorch-lightning_version": "2.6.0",  # else Lightning migrates it from its oldest version
    }


def write_pretrained(
    folder: Path, card: Mapping[str, Any], state: Mapping[str, Tensor], ids: Collection[str]
) -> dict[str, Any]:
    """Write the folder of a model.

    Args:
        folder: Folder; created if absent.
        card: Description of the model, without its files.
        state: Weights of its network by name; their types are kept.
        ids: Ids of the images that it was trained on.

    Returns:
        Card with the SHA-256 of the files.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    listed = "".join(f"{id_}\n" for id_ in sorted(ids)).encode("ascii")
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
    """Return the weights of the segmentation network from the state of a model."""
    return {
        name.removeprefix(_NETWORK): value
        for name, value in state.items()
        if name.startswith(_NETWORK)
    }


def _checked(path: Path, about: Mapping[str, Any]) -> bytes:
    """Return the content of a file, whose checksum must be that of the card."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read; download the folder again.") from error
    if _sha256(content) != about.get("sha256"):
        raise CheckpointError(
            f"{path} is not the file that its card describes (its SHA-256 differs), so it is not "
            "used; download it again."
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
