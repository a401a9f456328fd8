"""Resume a fit from a checkpoint: what must not change, and the random numbers to repeat."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lesionseg.errors import LesionsegError

#: Arguments of optimizers and schedules, which a checkpoint's state overrides.
_IN_STATE = (
    "optimizer",
    "generator_optimizer",
    "schedule",
    "learning_rate",
    "encoder_learning_rate",
    "generator_learning_rate",
    "discriminator_learning_rate",
    "momentum",
    "betas",
    "weight_decay",
    "generator_weight_decay",
    "power",
    "warmup_fraction",
)


def check_resumable(
    checkpoint: Mapping[str, Any], arguments: Mapping[str, Any], path: object
) -> None:
    """Refuse to resume a fit with arguments that its checkpoint would override.

    Args:
        checkpoint: Content of the checkpoint.
        arguments: Hyperparameters of the model that resumes.
        path: Path of the checkpoint, for messages.

    Raises:
        LesionsegError: If the checkpoint has only weights, or another optimizer, schedule or
            learning rate.
    """
    if "optimizer_states" not in checkpoint:
        raise LesionsegError(
            f"{path} holds weights only, from which no fit can resume; give the last.ckpt beside "
            "it, or start a fit from its weights with init_from (--model.init_from)."
        )
    before = checkpoint.get("hyper_parameters", {})
    differing = [
        f"{name} was {before[name]} and is {arguments[name]}"
        for name in _IN_STATE
        if name in before and name in arguments and not _same(before[name], arguments[name])
    ]
    if differing:
        raise LesionsegError(
            f"a fit resumes with the optimizer and schedule of its checkpoint, but of {path} "
            f"{'; '.join(differing)}; leave that as it was, or start a new fit from its weights "
            "with init_from (--model.init_from)."
        )


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; a file may have turned tuples into lists."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> None:
    """Seed Python, NumPy and torch (all devices) for one epoch of one process.

    The random numbers of an epoch then depend only on the arguments, so that a fit that resumes
    from the end of an epoch draws the same as one that was never interrupted. Generator states in a
    checkpoint would be those of the first process only.

    Args:
        seed: Seed of the whole fit, not negative.
        epoch: Epoch, counted from 0.
        rank: Rank of the process, so that processes augment their images differently.

    Example:
        >>> import torch
        >>> from lesionseg.models.resume import seed_epoch
        >>> seed_epoch(0, epoch=3)
        >>> first = torch.rand(2)
        >>> seed_epoch(0, epoch=3)
        >>> bool((torch.rand(2) == first).all())
        True
    """
    mixed = np.random.SeedSequence([seed, epoch, rank])
    small, large = int(mixed.generate_state(1)[0]), int(mixed.generate_state(1, np.uint64)[0])
    random.seed(large)
    np.random.seed(small)  # noqa: NPY002  (third-party data sets may draw from it)
    torch.manual_seed(large)
