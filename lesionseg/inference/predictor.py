"""A trained network with its image size and threshold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lesionseg._version import __version__
from lesionseg.checkpoints import read_checkpoint
from lesionseg.data.io.pixel_modes import to_rgb
from lesionseg.data.io.resizing import resize_image
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.inference.metadata import check_use
from lesionseg.inference.postprocess import check_finite, finish_mask, probabilities, restore_sizes
from lesionseg.inference.regions import PostProcessing, post_process
from lesionseg.inference.segmentation import Segmentation
from lesionseg.inference.tta import TestTimeAugmentation, average_views, views_of
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.networks import create_network, set_temperature
from lesionseg.networks.temperature import checked_temperature


@dataclass(frozen=True)
class Predictor:
    """Network that segments photographs of any size.

    Attributes:
        network: Module in eval mode that maps images (1, 3, H, W) in [0, 1] to logits
            (1, 1, H, W).
        size: (height, width) that images are resized to.
        threshold: A pixel is lesion if its probability is above this.
        device: Device of the network.
        test_time_augmentation: Views of each image whose probabilities are averaged; see
            :func:`~lesionseg.inference.average_views`.
        postprocess: Post-processing of the mask; ``"largest-region"`` keeps the largest region and
            fills its holes.

    Raises:
        ValueError: If there is no such test-time augmentation or post-processing.

    Example:
        >>> import torch
        >>> from PIL import Image
        >>> from lesionseg.inference import Predictor
        >>> predictor = Predictor(torch.nn.Conv2d(3, 1, 1).eval(), size=(24, 32))
        >>> predictor(Image.new("RGB", (60, 40))).probability.shape
        (40, 60)
    """

    network: nn.Module
    size: tuple[int, int]
    threshold: float = PROBABILITY_THRESHOLD
    device: torch.device | str = "cpu"
    test_time_augmentation: TestTimeAugmentation = "none"
    postprocess: PostProcessing = "none"

    def __post_init__(self) -> None:
        views_of(self.test_time_augmentation)  # raises an error for an unknown name
        post_process(np.zeros((1, 1), bool), self.postprocess)  # likewise

    @torch.inference_mode()
    def __call__(self, image: Image.Image) -> Segmentation:
        """Segment an image of any size and mode; its EXIF orientation is ignored."""
        pixels = resize_image(to_rgb(image), self.size).float() / 255
        probability = self.probability(pixels, (image.height, image.width))
        mask = finish_mask(probability, self.threshold, self.postprocess)
        return Segmentation(mask.numpy(), probability.numpy())

    @torch.inference_mode()
    def probability(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the probability of lesion at the original size of an image.

        Args:
            image: float (3, H, W) in [0, 1], of the network's size.
            size: Original (height, width).

        Returns:
            float (height, width) in [0, 1], on the CPU.

        Raises:
            LesionsegError: If the output of the network is not finite.
        """
        maps = average_views(
            lambda view: probabilities(self.network(view)),
            image[None].to(self.device),
            self.test_time_augmentation,
        )
        check_finite(maps, f"an image of {size[1]} x {size[0]} pixels")
        return restore_sizes(maps, [size])[0].cpu()


def predictor_of_checkpoint(
    path: str | Path,
    device: str | torch.device = "cpu",
    test_time_augmentation: TestTimeAugmentation = "none",
    postprocess: PostProcessing = "none",
) -> Predictor:
    """Rebuild the plain network of a checkpoint, without Lightning, data or a network connection.

    Args:
        path: Checkpoint of any model of this package, or name or folder of a pretrained model.
        device: Device to run on, such as ``"cuda"``; ``"auto"`` takes a GPU if there is one.
        test_time_augmentation: See :class:`Predictor`.
        postprocess: See :class:`Predictor`.

    Raises:
        CheckpointError: If the file is missing, broken, or no checkpoint of this package.
        LesionsegError: If there is no such device.
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
    set_temperature(network, about.get("temperature", 1.0))
    height, width = about["size"]
    return Predictor(
        network.to(device).eval(),
        (height, width),
        about["threshold"],
        device,
        test_time_augmentation,
        postprocess,
    )


def usable_device(name: str | torch.device) -> torch.device:
    """Return a device of this machine by name.

    Args:
        name: Such as ``"cuda:1"``; ``"auto"`` takes a GPU if there is one, else the CPU.

    Raises:
        LesionsegError: If there is no such device, or it cannot be used.
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
        torch.zeros(1, device=device).item()  # fails on "meta", which computes nothing
    except Exception as error:  # each type of device has its own errors
        raise LesionsegError(
            f"the device {str(name)!r} cannot be used here ({str(error).splitlines()[0]}); "
            "choose another, such as cpu."
        ) from error
    return device


def _described(path: str | Path, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's checked description of its network, size and threshold."""
    about = checkpoint.get("lesionseg")
    if not isinstance(about, dict) or about.get("network") is None:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a lesionseg model with a registered network; "
            "load it with load_from_checkpoint of its own class and pass the model."
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
        checked_temperature(about.get("temperature", 1.0))
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
    return about
