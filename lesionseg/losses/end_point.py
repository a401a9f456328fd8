"""SLSDeep's loss: negative log-likelihood and end-point error."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.losses.base import SegmentationLoss, autocast_off, per_image


def nll_epe_loss(logits: Tensor, target: Tensor, edge_weight: float = 0.5) -> Tensor:
    r"""Negative log-likelihood plus the weighted end-point error of the edges.

    The end-point error is the mean over all pixels of the distance between the Sobel gradients of
    the probability P and of the truth T:

    $$
    \sqrt{(\partial_x P - \partial_x T)^2 + (\partial_y P - \partial_y T)^2}
    $$

    Args:
        logits: Floating (N, 1, H, W).
        target: The same shape, values in {0, 1}.
        edge_weight: Weight of the end-point error, at least 0.

    Returns:
        A scalar, at least 0: the mean over the images.

    Raises:
        ValueError: If the shapes differ or are not (N, 1, H, W).

    Source: Sarker et al., SLSDeep (MICCAI 2018), equations 1 to 3. The weight of 0.5 is that of a
    public implementation, which takes the edges of the thresholded mask, so that its end-point
    error has no gradient. Chosen: the edges of the probability instead; both parts averaged over
    the pixels; Sobel's integer kernels, so that a straight edge from 0 to 1 has the gradient 4; the
    outermost pixels repeated around the image, so that its border is no edge; the gradient 0 where
    the two edges agree.

    Example:
        >>> import torch
        >>> from lesionseg.losses import nll_epe_loss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> nll_epe_loss(logits, target)
        tensor(1.1850)
    """
    with autocast_off(logits):
        flat, truth = per_image(logits, target)
        if logits.ndim != 4 or logits.shape[1] != 1:
            raise ValueError(
                f"expected logits and target to be (N, 1, H, W), got {tuple(logits.shape)}"
            )
        entropy = F.binary_cross_entropy_with_logits(flat, truth)
        # The filter is linear: the gradients' difference is the gradient of the difference.
        error = _sobel((flat.sigmoid() - truth).view(logits.shape))
        distance: Tensor = torch.linalg.vector_norm(error, dim=1)
        return entropy + edge_weight * distance.mean()


def _sobel(x: Tensor) -> Tensor:
    """Return the gradients of (N, 1, H, W) along x and y as (N, 2, H, W).

    Sums instead of a convolution, which may be rounded to TF32 on GPUs.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    down = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    across = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    along_x = down[..., 2:] - down[..., :-2]
    along_y = across[..., 2:, :] - across[..., :-2, :]
    return torch.cat([along_x, along_y], dim=1)


class NLLEPELoss(SegmentationLoss):
    """Module of :func:`nll_epe_loss`.

    Args:
        edge_weight: Weight of the end-point error, at least 0.

    Raises:
        ValueError: If ``edge_weight`` is negative.

    Example:
        >>> import torch
        >>> from lesionseg.losses import NLLEPELoss
        >>> logits = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
        >>> NLLEPELoss(edge_weight=0.5)(logits, target)
        tensor(1.1850)
    """

    def __init__(self, edge_weight: float = 0.5) -> None:
        super().__init__()
        if edge_weight < 0:
            raise ValueError(f"expected edge_weight to be at least 0, got {edge_weight}")
        self.edge_weight = edge_weight

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"edge_weight={self.edge_weight}"

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return nll_epe_loss(logits, target, self.edge_weight)
