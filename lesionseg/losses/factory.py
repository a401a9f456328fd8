"""Losses by name."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

from lesionseg.errors import LesionsegError
from lesionseg.losses.base import SegmentationLoss
from lesionseg.losses.end_point import NLLEPELoss
from lesionseg.losses.joint import JointLoss
from lesionseg.losses.lovasz import LovaszHingeLoss
from lesionseg.losses.overlap import SoftDiceLoss, SoftJaccardLoss

_LOSSES: dict[str, Callable[[], SegmentationLoss]] = {
    "dice": SoftDiceLoss,
    "jaccard": SoftJaccardLoss,
    "joint": JointLoss,
    "joint-positive": partial(JointLoss, positive_only=True),
    "lovasz": LovaszHingeLoss,
    "nll-epe": NLLEPELoss,
}


def loss_names() -> list[str]:
    """Return the names for :func:`create_loss`, sorted.

    Example:
        >>> from lesionseg.losses import loss_names
        >>> loss_names()
        ['dice', 'jaccard', 'joint', 'joint-positive', 'lovasz', 'nll-epe']
    """
    return sorted(_LOSSES)


def create_loss(name: str) -> SegmentationLoss:
    """Build a loss on logits and masks by its name.

    Args:
        name: One of :func:`loss_names`.

    Raises:
        LesionsegError: If the name is unknown.

    Example:
        >>> from lesionseg.losses import create_loss
        >>> create_loss("joint-positive")
        JointLoss(positive_only=True, smooth=1.0)
    """
    if name not in _LOSSES:
        close = get_close_matches(name, _LOSSES, n=1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        raise LesionsegError(
            f'there is no loss "{name}"; {hint}choose one of {", ".join(loss_names())}'
        )
    return _LOSSES[name]()
