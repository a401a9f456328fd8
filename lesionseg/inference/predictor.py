"""A trained network with what it needs to be used: its size and its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from lesionseg._version import __version__
from lesionseg.checkpoints import read_checkpoint
from lesionseg.data.io.pixel_modes import to_rgb
from lesionseg.data.io.resizing import resize_image
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.inference.metadata import check_use
from lesionseg.inference.postprocess import binarize, check_finite, probabilities, restore_sizes
from lesionseg.inference.segmentation import Segmentation
from lesionseg.inference.tta import TestTimeAugmentation, average_views, views_of
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.networks import create_network


@dataclass(frozen=True)
class Predictor:
    """A network that takes whole photographs.

    Attributes:
        network: Images (1, 3, H, W) in [0, 1] in, logits (1, 1, H, W) out; in eval mode.
        size: (height, width) at which images are fed to it.
        threshold: A pixel is lesion where its probability exceeds this.
        device: Where it runs.
        test_time_augmentation: The views of each image whose probabilities are averaged; see
            :func:`~lesionseg.inference.average_views`.

    Raises:
        ValueError: There is no test-time augmentation of this name.
    """

    network: nn.Module
    size: tuple[int, int]
    threshold: float = PROBABILITY_THRESHOLD
    device: torch.device | str = "cpu"
    test_time_augmentation: TestTimeAugmentation = "none"

    def __post_init__(self) -> None:
        views_of(self.test_time_augmentation)  # an unknown name is an error now, not at an image

    @torch.inference_mode()
    def __call__(self, image: Image.Image) -> Segmentation:
        """Segments one image of any size and mode, as it lies in memory."""
        pixels = resize_image(to_rgb(image), self.size).float() / 255
        maps = average_views(
            lambda view: probabilities(self.network(view)),
            pixels[None].to(self.device),
            self.test_time_augmentation,
        )
        check_finite(maps, f"an image of {image.width} x {image.height} pixels")
        probability = restore_sizes(maps, [(image.height, image.width)])[0].cpu()
        mask = binarize(probability, self.threshold)
        return Segmentation(mask.numpy(), probability.numpy())


def predictor_of_checkpoint(
    path: str | Path,
    device: str | torch.device = "cpu",
    test_time_augmentation: TestTimeAugmentation = "none",
) -> Predictor:
    """Rebuilds the plain network of a checkpoint; needs no Lightning, data or network connection.

    Args:
        path: A checkpoint of any model of this package.
        device: Where to run, such as ``"cuda"``; ``"auto"`` takes a GPU where there is one.
        test_time_augmentation: See :class:`Predictor`.

    Raises:
        CheckpointError: The file is absent, broken, or no checkpoint of this package.
        LesionsegError: There is no such device.
    """
    checkpoint = read_checkpoint(path)
    about = _described(path, checkpoint)
    device = usable_device(device)
    name, arguments = about["network"]["name"], about["network"]["arguments"]
    try:
        network = create_network(name, **arguments)
    except (LesionsegError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the network {name!r} of {path} cannot be built ({error}); the checkpoint is of "
            f"lesionseg {about.get('version')} and this is {__version__}."
        ) from error
    prefix = "network."
    weights = {
        key.removeprefix(prefix): value
        for key, value in checkpoint["state_dict"].items()
        if key.startswith(prefix)
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights in {path} do not fit its network {name!r}: {error}"
        ) from error
    height, width = about["size"]
    return Predictor(
        network.to(device).eval(),
        (height, width),
        about["threshold"],
        device,
        test_time_augmentation,
    )


def usable_device(name: str | torch.device) -> torch.device:
    """Return a device of this machine by its name.

    Args:
        name: Such as ``"cuda:1"``; ``"auto"`` takes a GPU where there is one, else the CPU.

    Raises:
        LesionsegError: If there is no such kind of device, or none of it here.
    """
    if name == "auto":
        mps = torch.backends.mps.is_available()
        name = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise LesionsegError(
            f"there is no device {str(name)!r}; choose auto, cpu, cuda, cuda:1 or mps."
        ) from error
    try:
        torch.zeros(1, device=device).item()  # an error on "meta", which computes nothing
    except Exception as error:  # each kind of device has its own errors
        raise LesionsegError(
            f"the device {str(name)!r} cannot be used here ({str(error).splitlines()[0]}); "
            "choose another, such as cpu."
        ) from error
    return device


def _described(path: str | Path, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its network and of how to use it, checked."""
    about = checkpoint.get("lesionseg")
    if not isinstance(about, dict) or about.get("network") is None:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a lesionseg model with a registered network; "
            "load it with its own class's load_from_checkpoint and pass the model."
        )
    network = about["network"]
    if not (
        isinstance(network, dict)
        and isinstance(network.get("name"), str)
        and isinstance(network.get("arguments"), dict)
    ):
        raise CheckpointError(f"{path} is damaged: it does not name its network and arguments.")
    try:
        check_use(about.get("size"), about.get("threshold"))
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
    return about
