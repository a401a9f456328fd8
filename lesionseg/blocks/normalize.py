"""Normalisation that travels with the network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Subtract a mean and divide by a standard deviation, per channel.

    Input: float (N, C, H, W) in [0, 1]; output: the same shape. Mean and standard deviation are
    buffers, so they are saved with the weights and a checkpoint needs no side knowledge.

    Args:
        mean: One value per channel; ImageNet's by default.
        std: One value per channel, all greater than 0; ImageNet's by default.

    Raises:
        ValueError: If the two differ in length or a standard deviation is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> None:
        super().__init__()
        if len(mean) != len(std) or not mean:
            raise ValueError(
                f"mean has {len(mean)} values and std {len(std)}; give one of each per channel"
            )
        if min(std) <= 0:
            raise ValueError(f"std must be greater than 0, got {tuple(std)}")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Normalise a batch of images in [0, 1]."""
        return (image - self.mean) / self.std
