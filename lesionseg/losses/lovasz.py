"""Lovasz hinge."""

from torch import Tensor

from lesionseg.losses.base import SegmentationLoss, autocast_off, per_image


def lovasz_hinge_loss(logits: Tensor, target: Tensor) -> Tensor:
    r"""Mean over the images of the Lovasz extension of the Jaccard loss at the hinge errors.

    The error of a pixel with logit l is $1 - l t$, with t = 1 in the lesion and t = -1 outside. In
    descending order, the positive errors are weighted by how much the Jaccard loss grows as each
    pixel in turn becomes wrong. The loss of an image without lesion is its greatest error, or 0 if
    all its logits are -1 or less.

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, values in {0, 1}.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: If the shapes differ.

    Source: Berman et al., The Lovasz-Softmax loss (CVPR 2018), equations 8 and 9 and algorithm 1.

    Example:
        >>> import torch
        >>> from lesionseg.losses import lovasz_hinge_loss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> lovasz_hinge_loss(logits, target)
        tensor(0.2500)
    """
    with autocast_off(logits):
        flat, truth = per_image(logits, target)
        errors, order = (1 - flat * (2 * truth - 1)).sort(dim=1, descending=True)
        truth = truth.gather(1, order)
        lesion = truth.sum(1, keepdim=True)
        intersection = lesion - truth.cumsum(1)
        union = lesion + (1 - truth).cumsum(1)  # at least 1: every pixel is in or out
        jaccard = 1 - intersection / union
        growth = jaccard.diff(dim=1, prepend=jaccard.new_zeros(len(jaccard), 1))
        return (errors.relu() * growth).sum(1).mean()


class LovaszHingeLoss(SegmentationLoss):
    """Module of :func:`lovasz_hinge_loss`.

    Example:
        >>> import torch
        >>> from lesionseg.losses import LovaszHingeLoss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> LovaszHingeLoss()(logits, target)
        tensor(0.2500)
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return lovasz_hinge_loss(logits, target)
