"""Soft Dice and soft Jaccard."""

from torch import Tensor, nn

from lesionseg.losses.base import autocast_off, per_image


def _sums(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection and total (prediction plus truth) of each image's probabilities, (N,) each."""
    flat, truth = per_image(logits, target)
    probability = flat.sigmoid()
    return (probability * truth).sum(1), probability.sum(1) + truth.sum(1)


def soft_dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """Mean over the images of ``1 - (2 I + smooth) / (P + T + smooth)``.

    I, P and T are each image's sums of probability times truth, probability, and truth.

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, values in {0, 1}.
        smooth: Added above and below, in pixels; greater than 0, so that an image without lesion
            has the loss 0 where nothing is predicted.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: If the shapes differ.
    """
    with autocast_off(logits):
        intersection, total = _sums(logits, target)
        return (1 - (2 * intersection + smooth) / (total + smooth)).mean()


def soft_jaccard_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """Mean over the images of ``1 - (I + smooth) / (P + T - I + smooth)``.

    Arguments, result and errors are those of :func:`soft_dice_loss`. Source: MobileGAN, equation 1,
    whose Jaccard loss the paper does not spell out.
    """
    with autocast_off(logits):
        intersection, total = _sums(logits, target)
        return (1 - (intersection + smooth) / (total - intersection + smooth)).mean()


class _OverlapLoss(nn.Module):
    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        if smooth <= 0:
            raise ValueError(
                f"smooth must be greater than 0, or an empty image divides by 0; got {smooth}"
            )
        self.smooth = smooth

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"smooth={self.smooth}"


class SoftDiceLoss(_OverlapLoss):
    """Module of :func:`soft_dice_loss`."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return soft_dice_loss(logits, target, self.smooth)


class SoftJaccardLoss(_OverlapLoss):
    """Module of :func:`soft_jaccard_loss`."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return soft_jaccard_loss(logits, target, self.smooth)
