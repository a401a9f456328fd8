"""Convert logits to masks at the images' original sizes.

test, predict and ``segment`` call these functions in this order: sigmoid, resizing of the
*probabilities* to the original size, threshold, and post-processing if asked for. Exported files do
the same without torch, in :mod:`lesionseg.inference.onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.errors import LesionsegError
from lesionseg.inference.regions import PostProcessing, post_process
from lesionseg.metrics.official import PROBABILITY_THRESHOLD


def probabilities(logits: Tensor) -> Tensor:
    """Return the sigmoid in float32, whatever the precision of the network.

    Args:
        logits: (N, 1, H, W), any floating dtype.

    Returns:
        float32 (N, 1, H, W) in [0, 1].

    Example:
        >>> import torch
        >>> from lesionseg.inference.postprocess import binarize, probabilities
        >>> maps = probabilities(torch.tensor([-2.0, 0.0, 2.0]).bfloat16())
        >>> maps
        tensor([0.1192, 0.5000, 0.8808])
        >>> binarize(maps)
        tensor([False, False,  True])
    """
    return torch.sigmoid(logits.float())


def check_finite(maps: Tensor, what: str) -> None:
    """Raise an error if probabilities are not finite: their mask would be empty.

    Args:
        maps: Any shape.
        what: Name of the images, for the message.

    Raises:
        LesionsegError: If any value is infinite or not a number.
    """
    if not maps.isfinite().all():
        raise LesionsegError(
            f"the network's output for {what} is not finite: its weights are not, or its "
            "precision is too low; use an earlier checkpoint, or --trainer.precision 32."
        )


def restore_sizes(maps: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Resize each map bilinearly, with antialiasing, to the size of its original image.

    Args:
        maps: float32 (N, 1, H, W).
        sizes: N original sizes, (height, width) in pixels.

    Returns:
        N tensors float32 (height, width). A map that already has its size is returned unchanged.

    Raises:
        ValueError: If the numbers of maps and sizes differ.

    Example:
        >>> import torch
        >>> from lesionseg.inference.postprocess import restore_sizes
        >>> [tuple(map.shape) for map in restore_sizes(torch.rand(2, 1, 8, 8), [(8, 8), (30, 40)])]
        [(8, 8), (30, 40)]
    """
    if len(sizes) != len(maps):
        raise ValueError(
            f"expected sizes to be {len(maps)} pairs (height, width), one for each map, "
            f"got {len(sizes)}"
        )
    return [
        channel[0] if tuple(channel.shape[-2:]) == tuple(size) else _resize(channel, *size)
        for channel, size in zip(maps, sizes, strict=True)
    ]


def _resize(channel: Tensor, height: int, width: int) -> Tensor:
    """Resize a map (1, H, W); the result has no channel."""
    if width == 1 < height:  # torch 2.14 makes all rows of such a map alike, but not all columns
        return _resize(channel.mT, width, height).mT
    return F.interpolate(channel[None], size=(height, width), mode="bilinear", antialias=True)[0, 0]


def finish_mask(
    probability: Tensor, threshold: float, postprocess: PostProcessing = "none"
) -> Tensor:
    """Return the mask of an image: :func:`binarize`, then post-processing.

    Args:
        probability: (height, width), in [0, 1].
        threshold: In [0, 1].
        postprocess: See :func:`~lesionseg.inference.regions.post_process`.

    Returns:
        Bool (height, width), on the same device.
    """
    mask = binarize(probability, threshold)
    if postprocess == "none":
        return mask
    return torch.from_numpy(post_process(mask.cpu().numpy(), postprocess)).to(mask.device)


def binarize(probability: Tensor, threshold: float = PROBABILITY_THRESHOLD) -> Tensor:
    """Return the mask: True where the probability is above the threshold.

    Args:
        probability: Any shape, in [0, 1].
        threshold: In [0, 1].
    """
    return probability > threshold
