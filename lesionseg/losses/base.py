"""The base class of the losses, and the precision and shape that they compute in."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from lesionseg.guards import check_masks


class SegmentationLoss(nn.Module, ABC):
    """Base of the losses on logits and masks."""

    @abstractmethod
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch.

        Args:
            logits: Floating (N, 1, H, W).
            target: The same shape, values in {0, 1}.

        Returns:
            A scalar.
        """


def check_smooth(smooth: float) -> None:
    """Raise ValueError unless the constant of an overlap loss is greater than 0."""
    if smooth <= 0:
        raise ValueError(
            f"expected smooth to be greater than 0, got {smooth}; an empty image would divide by 0"
        )


def full_precision(tensor: Tensor) -> Tensor:
    """Return the tensor as float32; float64 stays, so that gradients can be checked."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def autocast_off(tensor: Tensor) -> torch.autocast:
    """Return a context that keeps autocast from lowering the precision on the tensor's device."""
    return torch.autocast(tensor.device.type, enabled=False)


def per_image(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return both as (N, pixels) in full precision.

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, any dtype, values in {0, 1}.

    Raises:
        ValueError: If the shapes differ, there is no batch axis, the logits are not floating point,
            or the target has values outside [0, 1].
    """
    if logits.shape != target.shape or logits.ndim < 2:
        raise ValueError(
            "expected logits and target to be (N, 1, H, W) of one shape, got "
            f"{tuple(logits.shape)} and {tuple(target.shape)}"
        )
    if not logits.is_floating_point():
        raise ValueError(f"expected logits to be floating point, got {logits.dtype}")
    check_masks("the loss", target)
    flat = full_precision(logits).flatten(1)
    return flat, target.flatten(1).to(flat.dtype)
