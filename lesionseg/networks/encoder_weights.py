"""Weights of torchvision's classifiers for the encoders: from the internet or a local file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lesionseg.checkpoints import load_weights
from lesionseg.errors import CheckpointError

State = dict[str, Tensor]


def load_encoder_weights(
    encoder: nn.Module, weights: str, pretrained: Any, select: Callable[[State], State]
) -> None:
    """Load the weights of a torchvision classifier into an encoder.

    Args:
        encoder: The module to fill.
        weights: "imagenet" to download ``pretrained``, or the path of a local state dict.
        pretrained: torchvision's weights, such as ``ResNet34_Weights.IMAGENET1K_V1``.
        select: Turns the classifier's state dict into the complete one of the encoder.

    Raises:
        CheckpointError: If the weights cannot be read, downloaded or used.
    """
    classifier = type(pretrained).__name__.removesuffix("_Weights")
    state = _download(pretrained, classifier) if weights == "imagenet" else read_state_dict(weights)
    try:
        encoder.load_state_dict(select(state))
    except RuntimeError as error:
        raise CheckpointError(
            f"the encoder weights {weights} are not those of torchvision's {classifier}; give its "
            f"state dict ({' '.join(str(error).split())[:300]})"
        ) from error


def _download(pretrained: Any, classifier: str) -> State:
    try:
        state: State = pretrained.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:  # no network, or a broken download
        raise CheckpointError(
            f"the ImageNet weights of {classifier} could not be downloaded ({error}); give the "
            f"path of a local file instead: encoder_weights=<state dict of torchvision's "
            f"{classifier.lower()}, such as {Path(pretrained.url).name}>"
        ) from error
    return state


def read_state_dict(path: str) -> State:
    """Read a local file of tensors without running code in it.

    Raises:
        CheckpointError: If there is no such file, or it is not a plain state dict.
    """
    if not Path(path).is_file():
        raise CheckpointError(
            f'there is no file of encoder weights at {path}; use "imagenet" or an existing file'
        )
    try:
        state = load_weights(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"the encoder weights {path} cannot be read as a state dict; save it with "
            f"torch.save(model.state_dict(), ...)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"the encoder weights {path} are not a plain state dict of tensors; save it with "
            f"torch.save(model.state_dict(), ...)"
        )
    return state
