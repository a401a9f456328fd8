"""ASNet's joint loss."""

from torch import Tensor
from torch.nn import functional as F

from lesionseg.losses.base import SegmentationLoss, autocast_off, check_smooth, per_image
from lesionseg.losses.overlap import soft_dice_loss


def joint_loss(
    logits: Tensor, target: Tensor, positive_only: bool = False, smooth: float = 1.0
) -> Tensor:
    r"""Half the cross-entropy plus the soft Dice loss.

    $$
    -\frac{1}{2 n} \sum \big( T \log P + (1 - T) \log (1 - P) \big) + (1 - \mathrm{Dice})
    $$

    P is the probability and T the truth of each of the n pixels.

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, values in {0, 1}.
        positive_only: Keep only the cross-entropy's term of the lesion, $-T \log P$, averaged over
            all pixels, as the equation prints it.
        smooth: See :func:`~lesionseg.losses.soft_dice_loss`.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: If the shapes differ.

    Source: ASNet, equation 3. As printed it takes the logarithm of the truth; here prediction and
    truth are swapped back. Chosen where it is silent: the whole binary cross-entropy, averaged
    over the pixels, and Dice on each image's sums with the constant 1 added.

    Example:
        >>> import torch
        >>> from lesionseg.losses import joint_loss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> joint_loss(logits, target)
        tensor(0.2891)
    """
    with autocast_off(logits):
        flat, truth = per_image(logits, target)
        if positive_only:
            entropy = -(truth * F.logsigmoid(flat)).mean()
        else:
            entropy = F.binary_cross_entropy_with_logits(flat, truth)
        return 0.5 * entropy + soft_dice_loss(logits, target, smooth)


class JointLoss(SegmentationLoss):
    """Module of :func:`joint_loss`.

    Args:
        positive_only: See there.
        smooth: See there; greater than 0.

    Raises:
        ValueError: If ``smooth`` is not greater than 0.

    Example:
        >>> import torch
        >>> from lesionseg.losses import JointLoss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> JointLoss(positive_only=True)(logits, target)
        tensor(0.2438)
    """

    def __init__(self, positive_only: bool = False, smooth: float = 1.0) -> None:
        super().__init__()
        check_smooth(smooth)
        self.positive_only = positive_only
        self.smooth = smooth

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"positive_only={self.positive_only}, smooth={self.smooth}"

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return joint_loss(logits, target, self.positive_only, self.smooth)
