"""SegAN's multi-scale L1 loss of a critic's features."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.losses.base import autocast_off, full_precision


def multi_scale_l1_loss(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean over the scales of the mean absolute difference of two lists of features.

    Args:
        features: Floating tensors of any shape, one for each scale, such as
            :class:`~lesionseg.networks.SegANCritic` gives of the image under the prediction.
        wanted: As many, of the same shapes: those of the image under the truth.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: If there are no scales, or numbers of scales or shapes differ.

    Source: Xue et al., SegAN (Neuroinformatics 2018), equations 2 and 3: each scale counts alike,
    whatever its size. (The authors' version for skin lesions averages over all features at once,
    the deeper ones weighted 2 or 4.)
    """
    shapes = [[tuple(one.shape) for one in scales] for scales in (features, wanted)]
    if not shapes[0] or shapes[0] != shapes[1]:
        raise ValueError(
            "both lists of features must have the same shapes, one at least, "
            f"got {shapes[0]} and {shapes[1]}"
        )
    with autocast_off(features[0]):
        return torch.stack(
            [
                F.l1_loss(full_precision(one), full_precision(other))
                for one, other in zip(features, wanted, strict=True)
            ]
        ).mean()


class MultiScaleL1Loss(nn.Module):
    """Module of :func:`multi_scale_l1_loss`."""

    def forward(self, features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """Return the loss of a batch."""
        return multi_scale_l1_loss(features, wanted)
