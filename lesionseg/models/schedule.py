"""Learning rates as a function of the position in a planned fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Factor = Callable[[int, int], float]
"""Factor of the basic or peak learning rate at a position of a fit of a length."""


class Schedule(LRScheduler):
    """Learning-rate schedule for a fit of known length, which may change when the fit resumes.

    Unlike the schedules of torch it does not depend on earlier learning rates, so a fit that
    resumes with another length continues at its position in the new length (:meth:`replan`). A
    fit that takes more steps than planned keeps the last learning rate.

    Args:
        optimizer: Optimizer with the basic or peak learning rates.
        factor: See :data:`Factor`.
        length: Number of epochs or steps of the fit, at least 1.
        interval: Whether :meth:`step` counts epochs or steps.

    Attributes:
        length: Length of the schedule; a checkpoint replaces it by the length of its fit.
        planned: The given length, which a checkpoint does not replace.

    Example:
        >>> import torch
        >>> from lesionseg.models.schedule import Schedule, poly
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> schedule = Schedule(optimizer, poly(1.0), length=2, interval="epoch")
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.05]
    """

    def __init__(
        self, optimizer: Optimizer, factor: Factor, length: int, interval: Literal["epoch", "step"]
    ) -> None:
        self.factor = factor
        self.interval = interval
        self.length = self.planned = max(length, 1)
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rate of each parameter group at the current position."""
        factor = self.factor(min(self.last_epoch, self.length), self.length)
        return [base * factor for base in self.base_lrs]

    def get_last_lr(self) -> list[float | Tensor]:
        """Return the learning rate that each parameter group has."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def replan(self, length: int) -> None:
        """Change the length and set the learning rates of the current position."""
        self.length = max(length, 1)
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Return position and length; the optimizer's state has the basic learning rates."""
        return {"last_epoch": self.last_epoch, "length": self.length}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a position; the optimizer's state must have been loaded before.

        The states of torch's ``OneCycleLR`` and ``PolynomialLR``, which earlier versions saved, are
        accepted too.
        """
        lengths = (state_dict.get(key) for key in ("length", "total_steps", "total_iters"))
        self.last_epoch = state_dict["last_epoch"]
        self.length = next((length for length in lengths if length), self.planned)
        for group in self.optimizer.param_groups:
            group.pop("min_lr", None)
            group["initial_lr"] = group.pop("max_lr", group["initial_lr"])  # OneCycleLR's peak
        self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]


def poly(power: float) -> Factor:
    """Return (1 - position / length) ** power."""
    return lambda position, length: (1 - position / length) ** power


def one_cycle(warmup_fraction: float) -> Factor:
    """Return the factor of torch's ``OneCycleLR`` with its default arguments.

    It rises from 1/25 to 1 and then falls to 4e-6, along cosines.

    Source: Smith and Topin, "Super-convergence", 2018, as torch implements it.

    Args:
        warmup_fraction: Share of the steps in which it rises.
    """

    def factor(position: int, length: int) -> float:
        top, last = warmup_fraction * length - 1, length - 1
        position = min(position, last)
        if position <= top:
            share, first, final = position / top if top else 1.0, 1 / 25, 1.0
        else:
            share, first, final = (position - top) / (last - top), 1.0, 1 / 25 / 1e4
        return final + (first - final) / 2 * (1 + math.cos(math.pi * share))

    return factor
