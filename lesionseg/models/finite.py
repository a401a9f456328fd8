"""Stop a fit whose loss or weights are not finite, before they reach a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lesionseg.errors import LesionsegError, shorten


def fitting_trainer(model: LightningModule) -> Trainer | None:
    """Return the Trainer that fits a model; None if there is none, or it does something else."""
    try:
        trainer = model.trainer
    except RuntimeError:  # of a model without a Trainer
        return None
    fits = isinstance(trainer, Trainer) and trainer.state.fn == TrainerFn.FITTING
    return trainer if fits else None


def check_terms(model: LightningModule, terms: Mapping[str, Tensor], which: int = 0) -> None:
    """Raise an error if a term of a loss is not finite.

    Args:
        model: Model whose loss it is.
        terms: Scalars by the names that are logged.
        which: Index of the optimizer that minimizes them.

    Raises:
        LesionsegError: If any of them is infinite or not a number.
    """
    values = torch.stack([term.detach().float() for term in terms.values()])
    if values.isfinite().all():
        return
    wrong = ", ".join(
        f"{name} is {value}"
        for name, value in zip(terms, values.tolist(), strict=True)
        if not math.isfinite(value)
    )
    trainer = fitting_trainer(model)
    if trainer is None:
        raise LesionsegError(f"the loss is not finite ({wrong}); check the weights.")
    rate = trainer.optimizers[which].param_groups[0]["lr"]
    raise LesionsegError(
        f"the loss is not finite in epoch {trainer.current_epoch} at step {trainer.global_step} "
        f"({wrong}; learning rate {rate:.3g}, precision {trainer.precision}). The checkpoints are "
        "of earlier epochs; start again with a lower learning rate, clipped gradients or "
        "--trainer.precision 32."
    )


def check_weights(trainer: Trainer, state: Mapping[str, Tensor]) -> None:
    """Raise an error if a weight is not finite.

    Args:
        trainer: Trainer that fits.
        state: Weights by name.

    Raises:
        LesionsegError: If any of them is infinite or not a number.
    """
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise LesionsegError(
            f"the weights are not finite in epoch {trainer.current_epoch} ({shorten(broken)}; "
            f"precision {trainer.precision}), so no checkpoint is written; the earlier ones stay. "
            "Start again with a lower learning rate, clipped gradients or --trainer.precision 32."
        )
