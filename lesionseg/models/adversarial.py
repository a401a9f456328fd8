"""Alternating training of a segmenting generator and a discriminator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lesionseg.errors import LesionsegError
from lesionseg.models.base import SegmentationModule
from lesionseg.models.optimisation import ScheduleName, check_choice, create_schedule


class AdversarialModule(SegmentationModule):
    """Alternates steps of a generator (``network``) and a ``discriminator``, by hand.

    Each training step: backward and step of the generator with the discriminator frozen, then
    backward and step of the discriminator on detached fakes. Lightning's ``global_step`` counts
    both optimizers' steps, so it grows by two a batch while both are trained.

    The Trainer's gradient clipping and accumulation cannot serve two optimizers; they are arguments
    here, one for each. A subclass gives :meth:`generator_terms`, :meth:`discriminator_terms` and
    :meth:`configure_optimizers`.

    Args:
        network: The generator.
        discriminator: Judges (image, mask).
        generator_clip: Largest gradient norm of the generator; None does not clip.
        discriminator_clip: The same for the discriminator.
        generator_accumulation: Batches whose gradients are averaged for one generator step.
        discriminator_accumulation: The same for the discriminator.
        schedule: ``"constant"``, ``"poly"`` (once an epoch) or ``"one-cycle"`` (every step).
        size: See :class:`SegmentationModule`.
        threshold: See :class:`SegmentationModule`.
        compile: See :class:`SegmentationModule`; the discriminator is compiled too.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        network: nn.Module,
        discriminator: nn.Module,
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        generator_accumulation: int = 1,
        discriminator_accumulation: int = 1,
        schedule: ScheduleName = "constant",
        size: tuple[int, int] | None = None,
        threshold: float = 0.5,
        compile: bool = False,
    ) -> None:
        super().__init__(network, size=size, threshold=threshold, compile=compile)
        check_choice("schedule", schedule, ScheduleName)
        for name, clip in (
            ("generator_clip", generator_clip),
            ("discriminator_clip", discriminator_clip),
        ):
            if clip is not None and clip <= 0:
                raise ValueError(f"{name} must be positive or None, got {clip}")
        for name, batches in (
            ("generator_accumulation", generator_accumulation),
            ("discriminator_accumulation", discriminator_accumulation),
        ):
            if batches < 1:
                raise ValueError(f"{name} must be at least 1, got {batches}")
        self.automatic_optimization = False
        self.discriminator = discriminator
        self.clips = (generator_clip, discriminator_clip)
        self.accumulations = (generator_accumulation, discriminator_accumulation)
        self.schedule = schedule
        if compile:
            self.discriminator.compile()

    # -- what a subclass says ------------------------------------------------------------------

    def generator_terms(self, batch: dict[str, Any], logits: Tensor) -> dict[str, Tensor]:
        """The generator's weighted loss terms by name; their sum is minimised."""
        raise RuntimeError(f"{type(self).__name__} does not define generator_terms")

    def discriminator_terms(self, batch: dict[str, Any], logits: Tensor) -> dict[str, Tensor]:
        """The discriminator's loss terms by name for detached fakes; their mean is minimised."""
        raise RuntimeError(f"{type(self).__name__} does not define discriminator_terms")

    @property
    def adversary_active(self) -> bool:
        """Whether the discriminator takes part in the current epoch."""
        return True

    @property
    def resting_epochs(self) -> int:
        """First epochs in which the discriminator takes no part."""
        return 0

    # -- the alternating step ------------------------------------------------------------------

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """One step of the generator, then one of the discriminator."""
        generator_optimizer, discriminator_optimizer = self._optimizers()
        with self._only(generator_optimizer):
            logits = self(batch["image"])
            terms = self.generator_terms(batch, logits)
            self._step(0, generator_optimizer, torch.stack(list(terms.values())).sum(), batch_idx)
        self._log_terms("generator", terms, sum(terms.values()), batch)
        if not self.adversary_active:
            return
        with self._only(discriminator_optimizer):
            terms = self.discriminator_terms(batch, logits.detach())
            self._step(
                1, discriminator_optimizer, torch.stack(list(terms.values())).mean(), batch_idx
            )
        self._log_terms("discriminator", terms, sum(terms.values()) / len(terms), batch)

    def _step(
        self, which: int, optimizer: LightningOptimizer, loss: Tensor, batch_idx: int
    ) -> None:
        every = self.accumulations[which]
        self.manual_backward(loss / every)
        if (batch_idx + 1) % every == 0 or self.trainer.is_last_batch:
            optimizer.step()
            optimizer.zero_grad()
            if self.schedule == "one-cycle":
                self._schedulers()[which].step()

    @contextmanager
    def _only(self, optimizer: LightningOptimizer) -> Iterator[None]:
        """Freezes every parameter that is not this optimizer's."""
        self.toggle_optimizer(optimizer)
        try:
            yield
        finally:
            self.untoggle_optimizer(optimizer)

    def _log_terms(
        self, who: str, terms: dict[str, Tensor], total: Tensor | float, batch: dict[str, Any]
    ) -> None:
        size = len(batch["image"])
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
        clip = self.clips[which]
        if clip is not None:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], clip)

    def on_train_epoch_end(self) -> None:
        """Steps the schedules that go by epoch; under manual optimisation nobody else does."""
        if self.schedule == "poly":
            for scheduler in self._schedulers():
                scheduler.step()

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _schedulers(self) -> list[torch.optim.lr_scheduler.LRScheduler]:
        schedulers = self.lr_schedulers()
        return schedulers if isinstance(schedulers, list) else []

    def with_schedules(self, optimizers: list[Optimizer]) -> OptimizerLRScheduler:
        """What ``configure_optimizers`` returns for these optimizers and the chosen schedule."""
        epochs = max(self.trainer.max_epochs or 1, 1)
        batches = math.ceil(self.trainer.estimated_stepping_batches / epochs)
        steps = [
            max(1, math.ceil(batches / every) * (epochs - rest))
            for every, rest in zip(self.accumulations, (0, self.resting_epochs), strict=True)
        ]
        made = [
            create_schedule(self.schedule, optimizer, epochs, planned)
            for optimizer, planned in zip(optimizers, steps, strict=True)
        ]
        schedulers = [entry[0] for entry in made if entry is not None]
        self.planned_steps = steps[: len(schedulers)]
        return optimizers, schedulers

    # -- what the Trainer cannot do here -------------------------------------------------------

    def configure_callbacks(self) -> list[Callback]:
        """Refuses Trainer arguments that do not fit, before anything runs; adds no callback."""
        name = type(self).__name__
        if self.trainer.gradient_clip_val:
            raise LesionsegError(
                f"{name} has two optimizers, so Trainer(gradient_clip_val=...) cannot clip for it; "
                f"give {name}(generator_clip=..., discriminator_clip=...) instead."
            )
        if self.trainer.accumulate_grad_batches != 1:
            raise LesionsegError(
                f"{name} has two optimizers, so Trainer(accumulate_grad_batches=...) cannot "
                f"accumulate for it; give {name}(generator_accumulation=..., "
                "discriminator_accumulation=...) instead."
            )
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.get(
            "find_unused_parameters", False
        ):
            raise LesionsegError(
                f"{name} leaves one network's parameters out of each step, which plain ddp takes "
                'for a fault; use Trainer(strategy="ddp_find_unused_parameters_true").'
            )
        return []
