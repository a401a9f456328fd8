"""Adversarial loss of a discriminator's logits."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.losses.base import autocast_off, full_precision


def adversarial_loss(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of a discriminator's logits against one verdict, averaged.

    The discriminator is trained with ``real=True`` on true masks and ``real=False`` on generated
    ones; the generator with ``real=True`` on generated ones.

    Args:
        logits: Floating, any shape; positive means real.
        real: The verdict wanted of all of them.

    Returns:
        A scalar, at least 0.

    Source: MobileGAN, equations 1 and 2.
    """
    with autocast_off(logits):
        logits = full_precision(logits)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


class AdversarialLoss(nn.Module):
    """Module of :func:`adversarial_loss`."""

    def forward(self, logits: Tensor, real: bool) -> Tensor:
        """Return the loss of a batch of verdicts."""
        return adversarial_loss(logits, real)
