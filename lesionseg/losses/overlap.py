"""Soft Dice and soft Jaccard."""

from torch import Tensor

from lesionseg.losses.base import SegmentationLoss, autocast_off, check_smooth, per_image


def _sums(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection and total (prediction plus truth) of each image's probabilities, (N,) each."""
    flat, truth = per_image(logits, target)
    probability = flat.sigmoid()
    return (probability * truth).sum(1), probability.sum(1) + truth.sum(1)


def soft_dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    r"""Compute the soft Dice loss, the mean over the images of one minus the soft Dice coefficient.

    $$
    1 - \frac{2 I + s}{P + T + s}
    $$

    I, P and T are each image's sums of probability times truth, probability, and truth; s is
    ``smooth``.

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, values in {0, 1}.
        smooth: Added to numerator and denominator, in pixels; greater than 0, so that an image
            without lesion has the loss 0 where nothing is predicted.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> import torch
        >>> from lesionseg.losses import soft_dice_loss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> soft_dice_loss(logits, target)
        tensor(0.1687)
    """
    with autocast_off(logits):
        intersection, total = _sums(logits, target)
        return (1 - (2 * intersection + smooth) / (total + smooth)).mean()


def soft_jaccard_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    r"""Compute the soft Jaccard loss, the mean over the images of one minus the soft Jaccard index.

    $$
    1 - \frac{I + s}{P + T - I + s}
    $$

    I, P and T are each image's sums of probability times truth, probability, and truth; s is
    ``smooth``.

    Arguments, result and errors are those of :func:`soft_dice_loss`.

    Source: MobileGAN, equation 1, whose Jaccard loss the paper does not spell out.

    Example:
        >>> import torch
        >>> from lesionseg.losses import soft_jaccard_loss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> soft_jaccard_loss(logits, target)
        tensor(0.2452)
    """
    with autocast_off(logits):
        intersection, total = _sums(logits, target)
        return (1 - (intersection + smooth) / (total - intersection + smooth)).mean()


class _OverlapLoss(SegmentationLoss):
    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        check_smooth(smooth)
        self.smooth = smooth

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"smooth={self.smooth}"


class SoftDiceLoss(_OverlapLoss):
    """Module of :func:`soft_dice_loss`.

    Args:
        smooth: See there; greater than 0.

    Raises:
        ValueError: If ``smooth`` is not greater than 0.

    Example:
        >>> import torch
        >>> from lesionseg.losses import SoftDiceLoss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> SoftDiceLoss()(logits, target)
        tensor(0.1687)
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return soft_dice_loss(logits, target, self.smooth)


class SoftJaccardLoss(_OverlapLoss):
    """Module of :func:`soft_jaccard_loss`.

    Args:
        smooth: See :func:`soft_dice_loss`; greater than 0.

    Raises:
        ValueError: If ``smooth`` is not greater than 0.

    Example:
        >>> import torch
        >>> from lesionseg.losses import SoftJaccardLoss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> SoftJaccardLoss()(logits, target)
        tensor(0.2452)
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return soft_jaccard_loss(logits, target, self.smooth)
