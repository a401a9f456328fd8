"""Learning rates as a function of how much of a planned fit is over."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Factor = Callable[[int, int], float]
"""The learning rate, relative to the basic or peak one, at a position of a length."""


class Schedule(LRScheduler):
    """Multiplies the learning rates by a factor of the position in a fit of known length.

    Unlike torch's own schedules it keeps no product or table of earlier learning rates, so a fit
    that resumes with another length continues at the place that it has reached in the new length
    (:meth:`replan`). The position stays at the length where a fit takes more steps than planned.

    Args:
        optimizer: Its learning rates at construction are the basic or peak ones.
        factor: See :data:`Factor`.
        length: Epochs or steps of the fit, as ``interval`` says; at least 1.
        interval: What :meth:`step` counts.

    Attributes:
        length: What the learning rates follow; a checkpoint brings its fit's.
        planned: The length that was given, which a checkpoint leaves alone.
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

    def replan(self, length: int) -> None:
        """Change the length and set the learning rates of the current position in it."""
        self.length = max(length, 1)
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Return position and length; the basic learning rates are in the optimizer's state."""
        return {"last_epoch": self.last_epoch, "length": self.length}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at a saved position; the optimizer's state must have been loaded before.

        The states of torch's ``OneCycleLR`` and ``PolynomialLR``, which earlier versions saved, are
        taken as well.
        """
        lengths = (state_dict.get(key) for key in ("length", "total_steps", "total_iters"))
        self.last_epoch = state_dict["last_epoch"]
        self.length = next((length for length in lengths if length), self.planned)
        for group in self.optimizer.param_groups:
            group.pop("min_lr", None)
            group["initial_lr"] = group.pop("max_lr", group["initial_lr"])  # OneCycleLR's peak
        self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def poly(power: float) -> Factor:
    """Return (1 - position / length) ** power."""
    return lambda position, length: (1 - position / length) ** power


def one_cycle(warmup_fraction: float) -> Factor:
    """Return the factor of torch's ``OneCycleLR`` with its default arguments.

    From 1/25 up to 1 in the first steps, then down to 4e-6, along halves of cosines.

    Source: Smith and Topin, "Super-convergence", 2018, as torch implements it.

    Args:
        warmup_fraction: Share of the steps in which it goes up.
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
