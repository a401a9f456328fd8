"""The precision and shape that every loss works in."""

import torch
from torch import Tensor

from lesionseg.guards import check_masks


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
        target: The same shape, any type, values in {0, 1}.

    Raises:
        ValueError: If the shapes differ, there is no batch axis, the logits are not floating point,
            or the target has values outside [0, 1].
    """
    if logits.shape != target.shape or logits.ndim < 2:
        raise ValueError(
            f"logits and target must both be (N, 1, H, W), got {tuple(logits.shape)} and "
            f"{tuple(target.shape)}"
        )
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating point, got {logits.dtype}")
    check_masks("the loss", target)
    flat = full_precision(logits).flatten(1)
    return flat, target.flatten(1).to(flat.dtype)
