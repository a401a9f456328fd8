"""Lovasz hinge."""

from torch import Tensor, nn

from lesionseg.losses.base import autocast_off, per_image


def lovasz_hinge_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the images of the Lovasz extension of the Jaccard loss at the hinge errors.

    Each pixel's error is ``1 - logit * sign`` with sign +1 in the lesion and -1 outside. Sorted
    from the greatest, the positive errors are weighted by how much the Jaccard loss grows as each
    pixel in turn becomes wrong. An image without lesion has its greatest error as loss, 0 if all
    its logits are -1 or less.

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, values in {0, 1}.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: If the shapes differ.

    Source: Berman et al., The Lovasz-Softmax loss (CVPR 2018), equations 8 and 9 and algorithm 1.
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


class LovaszHingeLoss(nn.Module):
    """Module of :func:`lovasz_hinge_loss`."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return lovasz_hinge_loss(logits, target)
