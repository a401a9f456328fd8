"""Compute the length of a fit from the Trainer's limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler


@dataclass(frozen=True)
class Turn:
    """The epochs and batches at which an optimizer steps.

    Attributes:
        accumulation: Batches per step; there is always a step after the last batch of an epoch.
        first_epoch: First epoch with steps.
        end_epoch: First epoch without steps again; None steps to the end.

    Example:
        >>> from lesionseg.models.planning import Turn
        >>> Turn(accumulation=4).steps(0, 10, batches=10)
        3
    """

    accumulation: int = 1
    first_epoch: int = 0
    end_epoch: int | None = None

    def active(self, epoch: int) -> bool:
        """Return whether the optimizer steps in an epoch."""
        return self.first_epoch <= epoch and (self.end_epoch is None or epoch < self.end_epoch)

    def steps(self, first: int, last: int, batches: int) -> int:
        """Return the number of steps in the batches ``first`` to ``last`` - 1 of an epoch."""
        at_end = (
            math.ceil(last / self.accumulation) if last == batches else last // self.accumulation
        )
        return at_end - first // self.accumulation


@dataclass(frozen=True)
class Plan:
    """The rest of a fit.

    Attributes:
        end_epoch: Number of epochs at the end of the fit, counted from its start, including an
            incomplete last one; None if it does not follow from the Trainer's limits.
        steps: Remaining steps of each optimizer; None if they do not follow from the limits.
    """

    end_epoch: int | None
    steps: tuple[int, ...] | None


def trainer_turns(trainer: Trainer) -> list[Turn]:
    """Return the turns of an optimizer in automatic optimization.

    There is a turn for each accumulation factor of a ``GradientAccumulationScheduler``.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, GradientAccumulationScheduler):
            starts = sorted(callback.scheduling)
            return [
                Turn(callback.scheduling[start], start, end)
                for start, end in zip(starts, [*starts[1:], None], strict=True)
            ]
    return [Turn(trainer.accumulate_grad_batches)]


def plan_fit(trainer: Trainer, optimizers: Sequence[Sequence[Turn]]) -> Plan:
    """Return the rest of a Trainer's fit, from its current epoch and step.

    It follows from ``max_epochs``, ``max_steps`` (which counts the steps of all optimizers), the
    number of batches (with ``limit_train_batches``, ``overfit_batches``, ``fast_dev_run`` and the
    number of processes) and the accumulation of gradients. ``max_time`` is ignored: it may end a
    fit early.

    Args:
        trainer: Trainer that fits; its training data are loaded if necessary.
        optimizers: Turns of each optimizer.
    """
    if trainer.train_dataloader is None:
        trainer.fit_loop.setup_data()
    batches = trainer.num_training_batches
    end: float = math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs
    left: float = math.inf
    if trainer.max_steps != -1:
        left = max(trainer.max_steps - trainer.global_step, 0)
    if batches == 0:
        return Plan(trainer.current_epoch, (0,) * len(optimizers))
    if math.isinf(batches):  # data without a length
        known = len(optimizers) == 1 and math.isfinite(left)
        return Plan(None if math.isinf(end) else int(end), (int(left),) if known else None)
    return _count(
        optimizers, trainer.current_epoch, _batches_done(trainer), int(batches), end, left
    )


def _batches_done(trainer: Trainer) -> int:
    """Return how many batches of the current epoch are done when a fit resumes."""
    loop = trainer.fit_loop
    progress = loop.epoch_loop.batch_progress
    epoch_is_over = loop.epoch_loop.restarted_on_train_batch_end and progress.is_last_batch
    if epoch_is_over or not loop.restarted_mid_epoch:
        return 0
    done: int = progress.current.processed  # type: ignore[attr-defined]
    return done


def _count(
    optimizers: Sequence[Sequence[Turn]],
    epoch: int,
    done: int,
    batches: int,
    end: float,
    left: float,
) -> Plan:
    """Count epochs and steps until there were ``end`` epochs or ``left`` steps."""
    counts = [0] * len(optimizers)
    changes = {
        bound
        for turns in optimizers
        for turn in turns
        for bound in (turn.first_epoch, turn.end_epoch)
    }
    while epoch < end and left > 0:
        active = [[turn for turn in turns if turn.active(epoch)] for turns in optimizers]

        def steps_until(last: int) -> list[int]:
            return [sum(turn.steps(done, last, batches) for turn in turns) for turns in active]  # noqa: B023

        each = steps_until(batches)
        # All epochs until the next change have the same number of steps.
        alike = (
            min([bound for bound in changes if bound is not None and bound > epoch] + [end]) - epoch
        )
        if done:
            alike = 1
        if sum(each):
            alike = min(alike, left // sum(each))
        if math.isinf(alike):
            return Plan(None, None)
        if alike == 0:  # the last epoch is incomplete
            last = next(n for n in range(done + 1, batches + 1) if sum(steps_until(n)) >= left)
            each, alike, left = steps_until(last), 1, 0
        counts = [count + int(alike) * steps for count, steps in zip(counts, each, strict=True)]
        left -= alike * sum(each) if left else 0
        epoch += int(alike)
        done = 0
    return Plan(epoch, tuple(counts))
