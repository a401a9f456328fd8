"""From a network's logits to masks at the images' original sizes, in one place.

Validation curves aside, everything that yields a mask (test, predict, ``segment``) goes through
these functions in this order: sigmoid, resize of the *probabilities* to the original size,
threshold. Exported files do the same without torch, in :mod:`lesionseg.inference.onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.errors import LesionsegError
from lesionseg.metrics.official import PROBABILITY_THRESHOLD


def probabilities(logits: Tensor) -> Tensor:
    """Sigmoid in fp32, whatever the precision of the network.

    Args:
        logits: (N, 1, H, W), any floating dtype.

    Returns:
        float32 (N, 1, H, W) in [0, 1].
    """
    return torch.sigmoid(logits.float())


def check_finite(maps: Tensor, what: str) -> None:
    """Refuse probabilities that are not finite, which would be masks without lesion.

    Args:
        maps: Any shape.
        what: The images, for the message.

    Raises:
        LesionsegError: If any value is infinite or not a number.
    """
    if not maps.isfinite().all():
        raise LesionsegError(
            f"the network's output for {what} is not finite; its weights are spoiled or its "
            "precision is too low: use an earlier checkpoint, or --trainer.precision 32."
        )


def restore_sizes(maps: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Resizes each map bilinearly to the size of its original image.

    Args:
        maps: float32 (N, 1, H, W).
        sizes: N original sizes, (height, width) in pixels.

    Returns:
        N tensors float32 (height, width). A map that already has its size is returned unchanged.

    Raises:
        ValueError: There are not as many sizes as maps.
    """
    if len(sizes) != len(maps):
        raise ValueError(f"{len(maps)} maps but {len(sizes)} sizes; give one (height, width) each")
    return [
        one[0] if tuple(one.shape[-2:]) == tuple(size) else _resize(one, *size)
        for one, size in zip(maps, sizes, strict=True)
    ]


def _resize(one: Tensor, height: int, width: int) -> Tensor:
    """Resize a map (1, H, W); the result has no channel."""
    if width == 1 < height:  # torch 2.14 makes all rows of such a map alike, but not all columns
        return _resize(one.mT, width, height).mT
    return F.interpolate(one[None], size=(height, width), mode="bilinear", antialias=True)[0, 0]


def binarize(probability: Tensor, threshold: float = PROBABILITY_THRESHOLD) -> Tensor:
    """The mask: True where the probability exceeds ``threshold``.

    Args:
        probability: Any shape, in [0, 1].
        threshold: In [0, 1].
    """
    return probability > threshold
