"""Normalization that is saved with the network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Subtract a mean and divide by a standard deviation, per channel.

    Shapes: (N, C, H, W), floating point in [0, 1], to the same shape. Mean and standard deviation
    are buffers, so that they are saved with the weights.

    Args:
        mean: One value per channel; ImageNet's by default.
        std: One value per channel, all greater than 0; ImageNet's by default.

    Raises:
        ValueError: If the two differ in length or a standard deviation is not positive.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import Normalize
        >>> normalize = Normalize(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # to [-1, 1]
        >>> normalize(torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)).flatten()
        tensor([-1.,  0.,  1.])
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> None:
        super().__init__()
        if len(mean) != len(std) or not mean:
            raise ValueError(
                "expected mean and std to have one value for each channel, "
                f"got {len(mean)} and {len(std)} values"
            )
        if min(std) <= 0:
            raise ValueError(f"expected std to be greater than 0, got {tuple(std)}")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Normalize a batch of images in [0, 1]."""
        return (image - self.mean) / self.std
