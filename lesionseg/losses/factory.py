"""Losses by name."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

from torch import nn

from lesionseg.errors import LesionsegError
from lesionseg.losses.end_point import NLLEPELoss
from lesionseg.losses.joint import JointLoss
from lesionseg.losses.lovasz import LovaszHingeLoss
from lesionseg.losses.overlap import SoftDiceLoss, SoftJaccardLoss

_LOSSES: dict[str, Callable[[], nn.Module]] = {
    "dice": SoftDiceLoss,
    "jaccard": SoftJaccardLoss,
    "joint": JointLoss,
    "joint-positive": partial(JointLoss, positive_only=True),
    "lovasz": LovaszHingeLoss,
    "nll-epe": NLLEPELoss,
}


def loss_names() -> list[str]:
    """Names that :func:`create_loss` knows, sorted."""
    return sorted(_LOSSES)


def create_loss(name: str) -> nn.Module:
    """Build a segmentation loss on (logits, target) by its name.

    Args:
        name: One of :func:`loss_names`.

    Raises:
        LesionsegError: If the name is unknown.
    """
    if name not in _LOSSES:
        close = get_close_matches(name, _LOSSES, n=1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        raise LesionsegError(
            f'there is no loss "{name}"; {hint}choose one of {", ".join(loss_names())}'
        )
    return _LOSSES[name]()
