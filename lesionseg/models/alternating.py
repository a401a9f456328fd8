"""Train several networks in turns, each with its own optimizer."""

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
from lesionseg.models.finite import check_terms
from lesionseg.models.optimizers import ScheduleName, check_choice
from lesionseg.models.planning import Turn


@dataclass(frozen=True)
class Player:
    """How one of several networks is trained.

    Attributes:
        name: Name of the network; its losses are logged under ``train/<name>/``, and the arguments
            of the model are called ``<name>_clip`` and ``<name>_accumulation``.
        clip: Maximum gradient norm; None does not clip.
        accumulation: Number of batches whose gradients are averaged for a step.
        schedule: ``"constant"``, ``"poly"`` (every epoch) or ``"one-cycle"`` (every step).
        power: Power of ``"poly"``.
        first_epoch: First epoch in which the network trains, and that ``"one-cycle"`` counts.
        end_epoch: Epoch from which the network does not train any more; None trains to the end.
        poly_waits: Whether ``"poly"`` counts from ``first_epoch`` instead of from epoch 0.

    Raises:
        ValueError: If one of them is out of range.

    Example:
        >>> from lesionseg.models.alternating import Player
        >>> Player("generator", clip=1.0).turn.active(epoch=3)
        True
        >>> Player("generator", accumulation=0)
        Traceback (most recent call last):
        ValueError: expected generator_accumulation to be at least 1, got 0
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
            raise ValueError(f"expected {self.name}_clip to be positive or None, got {self.clip!r}")
        if self.accumulation < 1:
            raise ValueError(
                f"expected {self.name}_accumulation to be at least 1, got {self.accumulation!r}"
            )

    @property
    def turn(self) -> Turn:
        """The steps of its optimizer."""
        return Turn(self.accumulation, self.first_epoch, self.end_epoch)

    @property
    def poly_start(self) -> int:
        """First epoch that ``"poly"`` counts."""
        return self.first_epoch if self.poly_waits else 0


class AlternatingModule(SegmentationModule):
    """Manual optimization of several networks; base of :class:`AdversarialModule`.

    Lightning's ``global_step`` counts the steps of all optimizers. Lightning does not clip or
    accumulate gradients in manual optimization; each :class:`Player` has arguments for that.

    Args:
        network: See :class:`SegmentationModule`.
        players: The networks, in the order of the optimizers of ``configure_optimizers``.
        size: See :class:`SegmentationModule`.
        threshold: See :class:`SegmentationModule`.
        compile: See :class:`SegmentationModule`.
        channels_last: See :class:`SegmentationModule`.
        teacher: See :class:`SegmentationModule`.
        teacher_weight: See :class:`SegmentationModule`.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: If an argument is out of range.
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
        """Freeze all parameters but those of one optimizer."""
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
        """Hook that is called after each step of an optimizer, with its index."""

    def _log_terms(
        self, which: int, terms: dict[str, Tensor], total: Tensor | float, batch: dict[str, Any]
    ) -> None:
        prefix, size = f"train/{self.players[which].name}", len(batch["image"])
        check_terms(self, {f"{prefix}/{name}": term for name, term in terms.items()}, which)
        for name, term in terms.items():
            self.log(
                f"{prefix}/{name}", term.detach(), on_step=True, on_epoch=True, batch_size=size
            )
        self.log(
            f"{prefix}/loss", total, on_step=True, on_epoch=True, prog_bar=True, batch_size=size
        )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip gradients, which are unscaled at this point in fp16 training."""
        which = self.optimizers(use_pl_optimizer=False).index(optimizer)  # type: ignore[union-attr]
        clip = self.players[which].clip
        if clip is not None:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], clip)

    def on_train_epoch_end(self) -> None:
        """Step the schedules that count epochs, which Lightning does not in manual optimization."""
        for which, scheduler in self._schedulers().items():
            player = self.players[which]
            if player.schedule == "poly" and self.current_epoch >= player.poly_start:
                scheduler.step()

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _schedulers(self) -> dict[int, torch.optim.lr_scheduler.LRScheduler]:
        """Return the schedulers by their player's index; a constant rate has none."""
        found: Any = self.lr_schedulers() or []
        scheduled = [i for i, player in enumerate(self.players) if player.schedule != "constant"]
        return dict(zip(scheduled, found if isinstance(found, list) else [found], strict=True))

    def with_schedules(self, optimizers: list[Optimizer]) -> OptimizerLRScheduler:
        """Add schedules to optimizers, one for each player, for ``configure_optimizers``."""
        schedules = [
            self.add_schedule(player.schedule, optimizer, which, player.power, player.poly_start)
            for which, (player, optimizer) in enumerate(zip(self.players, optimizers, strict=True))
        ]
        return optimizers, [schedule for schedule in schedules if schedule is not None]

    def turns(self) -> list[list[Turn]]:
        """Return the turns of each player."""
        return [[player.turn] for player in self.players]

    # -- arguments of the Trainer --------------------------------------------------------------

    def configure_callbacks(self) -> list[Callback]:
        """Check the Trainer's arguments before a fit; add no callback.

        Each step leaves out the parameters of some networks, so ``strategy="ddp"`` becomes
        ``"ddp_find_unused_parameters_true"``.

        Raises:
            LesionsegError: If the Trainer clips or accumulates gradients, or its strategy has
                ``find_unused_parameters=False``.
        """
        name = type(self).__name__
        if self.trainer.gradient_clip_val:
            raise LesionsegError(
                f"{name} has several optimizers, for which Trainer(gradient_clip_val=...) does not "
                f"work; use {name}({self._arguments('clip')}) instead."
            )
        if self.trainer.accumulate_grad_batches != 1:
            raise LesionsegError(
                f"{name} has several optimizers, for which Trainer(accumulate_grad_batches=...) "
                f"does not work; use {name}({self._arguments('accumulation')}) instead."
            )
        strategy = self.trainer.strategy
        # DDPStrategy has no public name for its options: tests/models/test_private_names.py.
        if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.setdefault(
            "find_unused_parameters", True
        ):
            raise LesionsegError(
                f"{name} leaves out the parameters of a network in each step, which ddp without "
                'find_unused_parameters does not support; use Trainer(strategy="ddp").'
            )
        return []

    def _arguments(self, kind: str) -> str:
        return ", ".join(f"{player.name}_{kind}=..." for player in self.players)
