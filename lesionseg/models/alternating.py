"""Training of several networks that take turns, each with an optimizer of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lesionseg.errors import LesionsegError
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.base import SegmentationModule
from lesionseg.models.optimizers import ScheduleName, check_choice
from lesionseg.models.planning import Turn


@dataclass(frozen=True)
class Player:
    """One of the networks that take turns, and how its optimizer steps.

    Attributes:
        name: Its losses are logged under ``train/<name>/``; ``<name>_clip`` and
            ``<name>_accumulation`` are what the model's arguments are called.
        clip: Largest gradient norm; None does not clip.
        accumulation: Batches whose gradients are averaged for one step.
        schedule: ``"constant"``, ``"poly"`` (once an epoch) or ``"one-cycle"`` (every step).
        power: The power of ``"poly"``.
        first_epoch: It rests in the epochs before; a one-cycle schedule spans the others.
        end_epoch: It rests from this epoch on; None: it trains until the end.
        poly_waits: Whether ``"poly"`` counts from ``first_epoch`` rather than from the beginning.

    Raises:
        ValueError: One of them is out of range.
    """

    name: str
    clip: float | None = None
    accumulation: int = 1
    schedule: ScheduleName = "constant"
    power: float = 0.9
    first_epoch: int = 0
    end_epoch: int | None = None
    poly_waits: bool = False

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, ScheduleName)
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"{self.name}_clip must be positive or None, got {self.clip}")
        if self.accumulation < 1:
            raise ValueError(
                f"{self.name}_accumulation must be at least 1, got {self.accumulation}"
            )

    @property
    def turn(self) -> Turn:
        """When its optimizer steps."""
        return Turn(self.accumulation, self.first_epoch, self.end_epoch)

    @property
    def poly_start(self) -> int:
        """The first epoch that a poly schedule counts."""
        return self.first_epoch if self.poly_waits else 0


class AlternatingModule(SegmentationModule):
    """Steps the optimizers of several players by hand; base of :class:`AdversarialModule`.

    Lightning's ``global_step`` counts the steps of all optimizers. The Trainer's gradient clipping
    and accumulation cannot serve several of them; they belong to each :class:`Player`.

    Args:
        network: See :class:`SegmentationModule`.
        players: In the order of the optimizers that ``configure_optimizers`` makes.
        size: See :class:`SegmentationModule`.
        threshold: See :class:`SegmentationModule`.
        compile: See :class:`SegmentationModule`.
        channels_last: See :class:`SegmentationModule`.
        teacher: See :class:`SegmentationModule`.
        teacher_weight: See :class:`SegmentationModule`.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        network: nn.Module,
        players: Sequence[Player],
        size: tuple[int, int] | None = None,
        threshold: float = PROBABILITY_THRESHOLD,
        compile: bool = False,
        channels_last: bool = False,
        teacher: str | None = None,
        teacher_weight: float = 1.0,
        init_from: str | None = None,
    ) -> None:
        super().__init__(
            network, size, threshold, compile, channels_last, teacher, teacher_weight, init_from
        )
        self.automatic_optimization = False
        self.players = tuple(players)

    # -- one turn ------------------------------------------------------------------------------

    @contextmanager
    def _only(self, which: int) -> Iterator[None]:
        """Freezes every parameter that is not this player's."""
        optimizer = self._optimizers()[which]
        self.toggle_optimizer(optimizer)
        try:
            yield
        finally:
            self.untoggle_optimizer(optimizer)

    def _step(self, which: int, loss: Tensor, batch_idx: int) -> None:
        every = self.players[which].accumulation
        self.manual_backward(loss / every)
        if (batch_idx + 1) % every == 0 or self.trainer.is_last_batch:
            optimizer = self._optimizers()[which]
            optimizer.step()
            optimizer.zero_grad()
            self.after_step(which)
            if self.players[which].schedule == "one-cycle":
                self._schedulers()[which].step()

    def after_step(self, which: int) -> None:
        """Called after each step of a player's optimizer, with the player's index."""

    def _log_terms(
        self, which: int, terms: dict[str, Tensor], total: Tensor | float, batch: dict[str, Any]
    ) -> None:
        who, size = self.players[which].name, len(batch["image"])
        self.check_terms({f"train/{who}/{name}": term for name, term in terms.items()}, which)
        for name, term in terms.items():
            self.log(
                f"train/{who}/{name}", term.detach(), on_step=True, on_epoch=True, batch_size=size
            )
        self.log(
            f"train/{who}/loss", total, on_step=True, on_epoch=True, prog_bar=True, batch_size=size
        )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips here, where fp16 gradients are unscaled already."""
        which = self.optimizers(use_pl_optimizer=False).index(optimizer)  # type: ignore[union-attr]
        clip = self.players[which].clip
        if clip is not None:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], clip)

    def on_train_epoch_end(self) -> None:
        """Steps the schedules that go by epoch; under manual optimisation nobody else does."""
        for which, scheduler in self._schedulers().items():
            player = self.players[which]
            if player.schedule == "poly" and self.current_epoch >= player.poly_start:
                scheduler.step()

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _schedulers(self) -> dict[int, torch.optim.lr_scheduler.LRScheduler]:
        """The schedulers by their player's index; a constant rate has none."""
        made: Any = self.lr_schedulers() or []
        scheduled = [i for i, one in enumerate(self.players) if one.schedule != "constant"]
        return dict(zip(scheduled, made if isinstance(made, list) else [made], strict=True))

    def with_schedules(self, optimizers: list[Optimizer]) -> OptimizerLRScheduler:
        """What ``configure_optimizers`` returns for these optimizers, one for each player."""
        made = [
            self.add_schedule(player.schedule, optimizer, which, player.power, player.poly_start)
            for which, (player, optimizer) in enumerate(zip(self.players, optimizers, strict=True))
        ]
        return optimizers, [schedule for schedule in made if schedule is not None]

    def turns(self) -> list[list[Turn]]:
        """The turn of each player."""
        return [[player.turn] for player in self.players]

    # -- what the Trainer cannot do here -------------------------------------------------------

    def configure_callbacks(self) -> list[Callback]:
        """Refuses Trainer arguments that do not fit, before anything runs; adds no callback.

        Each step leaves the parameters of one network out, so ``strategy="ddp"`` becomes
        ``"ddp_find_unused_parameters_true"``.

        Raises:
            LesionsegError: The Trainer clips or accumulates gradients, or was told not to look for
                unused parameters.
        """
        name = type(self).__name__
        if self.trainer.gradient_clip_val:
            raise LesionsegError(
                f"{name} has several optimizers, so Trainer(gradient_clip_val=...) cannot clip "
                f"for it; give {name}({self._arguments('clip')}) instead."
            )
        if self.trainer.accumulate_grad_batches != 1:
            raise LesionsegError(
                f"{name} has several optimizers, so Trainer(accumulate_grad_batches=...) cannot "
                f"accumulate for it; give {name}({self._arguments('accumulation')}) instead."
            )
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.setdefault(
            "find_unused_parameters", True
        ):
            raise LesionsegError(
                f"{name} leaves one network's parameters out of each step, which ddp takes for a "
                'fault without find_unused_parameters; use Trainer(strategy="ddp").'
            )
        return []

    def _arguments(self, kind: str) -> str:
        return ", ".join(f"{player.name}_{kind}=..." for player in self.players)
