"""What a fit that resumes takes from its checkpoint, whatever the model is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    """Refuse to resume a fit where the checkpoint cannot, or would ignore what is asked for.

    Args:
        checkpoint: As the Trainer reads it.
        arguments: The hyperparameters of the model that resumes.
        path: Of the checkpoint, for messages.

    Raises:
        LesionsegError: If it holds weights only, or was made with another optimizer, schedule or
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
    """Whether two values are equal; a file may have made lists of tuples."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)
