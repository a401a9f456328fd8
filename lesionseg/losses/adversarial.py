"""Adversarial loss of a discriminator's logits."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.losses.base import autocast_off, full_precision


def adversarial_loss(logits: Tensor, real: bool) -> Tensor:
    """Mean binary cross-entropy of a discriminator's logits against one label.

    The discriminator is trained with ``real=True`` on true masks and ``real=False`` on generated
    masks; the generator with ``real=True`` on generated masks.

    Args:
        logits: Floating, any shape; positive means real.
        real: The label of all of them.

    Returns:
        A scalar, at least 0.

    Source: MobileGAN, equations 1 and 2.

    Example:
        >>> import torch
        >>> from lesionseg.losses import adversarial_loss
        >>> logits = torch.tensor([4.0, -4.0])
        >>> adversarial_loss(logits[:1], real=True), adversarial_loss(logits[1:], real=True)
        (tensor(0.0181), tensor(4.0181))
    """
    with autocast_off(logits):
        logits = full_precision(logits)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


class AdversarialLoss(nn.Module):
    """Module of :func:`adversarial_loss`.

    Example:
        >>> import torch
        >>> from lesionseg.losses import AdversarialLoss
        >>> AdversarialLoss()(torch.zeros(2, 1, 4, 4), real=True)  # log 2: undecided
        tensor(0.6931)
    """

    def forward(self, logits: Tensor, real: bool) -> Tensor:
        """Return the loss of a batch of logits."""
        return adversarial_loss(logits, real)
