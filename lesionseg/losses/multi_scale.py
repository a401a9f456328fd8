"""SegAN's multi-scale L1 loss of a critic's features."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.losses.base import autocast_off, full_precision


def multi_scale_l1_loss(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    r"""Mean over the scales of the mean absolute difference of two lists of features.

    $$
    \frac{1}{S} \sum_{s=1}^{S} \frac{1}{n_s} \sum |f_s - g_s|
    $$

    f and g are the two lists of S scales; a scale has n_s values.

    Args:
        features: Floating tensors of any shape, one for each scale, such as those that
            :class:`~lesionseg.networks.SegANCritic` computes from the image under the prediction.
        wanted: Tensors of the same shapes: those of the image under the truth.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: If there are no scales, or numbers of scales or shapes differ.

    Source: Xue et al., SegAN (Neuroinformatics 2018), equations 2 and 3: each scale counts alike,
    whatever its size. (The authors' version for skin lesions averages over all features at once,
    with a weight of 2 or 4 for the deeper scales.)

    Example:
        >>> import torch
        >>> from lesionseg.losses import multi_scale_l1_loss
        >>> features = [torch.zeros(1, 4, 8, 8), torch.zeros(1, 8, 4, 4)]
        >>> wanted = [torch.full((1, 4, 8, 8), 1.0), torch.full((1, 8, 4, 4), 3.0)]
        >>> multi_scale_l1_loss(features, wanted)
        tensor(2.)
    """
    shapes = [[tuple(scale.shape) for scale in scales] for scales in (features, wanted)]
    if not shapes[0] or shapes[0] != shapes[1]:
        raise ValueError(
            "expected features and wanted to have the same shapes, at least one, "
            f"got {shapes[0]} and {shapes[1]}"
        )
    with autocast_off(features[0]):
        return torch.stack(
            [
                F.l1_loss(full_precision(feature), full_precision(other))
                for feature, other in zip(features, wanted, strict=True)
            ]
        ).mean()


class MultiScaleL1Loss(nn.Module):
    """Module of :func:`multi_scale_l1_loss`.

    Example:
        >>> import torch
        >>> from lesionseg.losses import MultiScaleL1Loss
        >>> MultiScaleL1Loss()([torch.zeros(1, 4, 8, 8)], [torch.ones(1, 4, 8, 8)])
        tensor(1.)
    """

    def forward(self, features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """Return the loss of a batch."""
        return multi_scale_l1_loss(features, wanted)
