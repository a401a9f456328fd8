"""Alternating training of a generator and a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lesionseg.guards import shapes_explained
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.alternating import AlternatingModule, Player
from lesionseg.models.optimizers import (
    OptimizerName,
    ScheduleName,
    check_choice,
    create_optimizer,
)

GENERATOR, DISCRIMINATOR = 0, 1


class AdversarialModule(AlternatingModule):
    """Alternates steps of a generator (``network``, by default) and a ``discriminator``, by hand.

    Each training step: backward and step of the generator with the discriminator frozen, then
    backward and step of the discriminator on detached fakes, or the other way round; both use the
    same fakes. Lightning's ``global_step`` counts
    both optimizers' steps, so it grows by two a batch while both are trained.

    The Trainer's gradient clipping and accumulation cannot serve two optimizers; they are arguments
    here, one for each. A subclass gives :meth:`generator_terms` and :meth:`discriminator_terms`;
    one whose generator is not ``network`` also :attr:`generator` and :meth:`generate`; one that
    trains more than the two also ``further_players`` and :meth:`further_optimizers`.

    Args:
        network: What segments; the generator unless a subclass says otherwise.
        discriminator: Judges (image, mask).
        generator_learning_rate: Learning rate of the generator.
        discriminator_learning_rate: Learning rate of the discriminator.
        betas: Adam's, for both; the first is also SGD's momentum.
        generator_clip: Largest gradient norm of the generator; None does not clip.
        discriminator_clip: The same for the discriminator.
        generator_accumulation: Batches whose gradients are averaged for one generator step.
        discriminator_accumulation: The same for the discriminator.
        schedule: ``"constant"``, ``"poly"`` (once an epoch) or ``"one-cycle"`` (every step).
        discriminator_first_epoch: The discriminator rests in the epochs before.
        generator_end_epoch: The generator rests from this epoch on.
        discriminator_end_epoch: The same for the discriminator.
        further_players: Those behind the two.
        size: See :class:`SegmentationModule`.
        threshold: See :class:`SegmentationModule`.
        compile: See :class:`SegmentationModule`; the discriminator is compiled too.
        channels_last: See :class:`SegmentationModule`; for the discriminator too.
        discriminator_first: Whether the discriminator steps before the generator.
        generator_optimizer: ``"adam"``, ``"adamw"`` or ``"sgd"``; the discriminator's is Adam.
        generator_weight_decay: L2 penalty of the generator (decoupled for AdamW).
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
        discriminator: nn.Module,
        generator_learning_rate: float = 2e-4,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        generator_accumulation: int = 1,
        discriminator_accumulation: int = 1,
        schedule: ScheduleName = "constant",
        discriminator_first_epoch: int = 0,
        generator_end_epoch: int | None = None,
        discriminator_end_epoch: int | None = None,
        further_players: Sequence[Player] = (),
        size: tuple[int, int] | None = None,
        threshold: float = PROBABILITY_THRESHOLD,
        compile: bool = False,
        channels_last: bool = False,
        discriminator_first: bool = False,
        generator_optimizer: OptimizerName = "adam",
        generator_weight_decay: float = 0.0,
        teacher: str | None = None,
        teacher_weight: float = 1.0,
        init_from: str | None = None,
    ) -> None:
        check_choice("generator_optimizer", generator_optimizer, OptimizerName)
        if generator_weight_decay < 0:
            raise ValueError(
                f"generator_weight_decay must not be negative, got {generator_weight_decay}"
            )
        players = (
            Player(
                "generator",
                generator_clip,
                generator_accumulation,
                schedule,
                end_epoch=generator_end_epoch,
            ),
            Player(
                "discriminator",
                discriminator_clip,
                discriminator_accumulation,
                schedule,
                first_epoch=discriminator_first_epoch,
                end_epoch=discriminator_end_epoch,
            ),
            *further_players,
        )
        super().__init__(
            network,
            players,
            size,
            threshold,
            compile,
            channels_last,
            teacher,
            teacher_weight,
            init_from,
        )
        self.discriminator = discriminator
        self.learning_rates = (generator_learning_rate, discriminator_learning_rate)
        self.betas = (betas[0], betas[1])
        self.discriminator_first = discriminator_first
        self.generator_optimizer = generator_optimizer
        self.generator_weight_decay = generator_weight_decay
        self._prepare(self.discriminator, compile, channels_last)

    # -- what a subclass says ------------------------------------------------------------------

    @property
    def generator(self) -> nn.Module:
        """The network whose output the discriminator judges."""
        return self.network

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """What the generator makes of a batch; logits (N, 1, H, W) by default."""
        logits: Tensor = self(batch["image"])
        return logits

    def generator_terms(self, batch: dict[str, Any], made: Tensor) -> dict[str, Tensor]:
        """The generator's weighted loss terms by name; their sum is minimised."""
        raise RuntimeError(f"{type(self).__name__} does not define generator_terms")

    def discriminator_terms(self, batch: dict[str, Any], made: Tensor) -> dict[str, Tensor]:
        """The discriminator's loss terms by name for detached fakes; their mean is minimised."""
        raise RuntimeError(f"{type(self).__name__} does not define discriminator_terms")

    def further_optimizers(self) -> list[Optimizer]:
        """One for each of ``further_players``."""
        return []

    @property
    def adversary_active(self) -> bool:
        """Whether the discriminator takes part in the current epoch."""
        return self.players[DISCRIMINATOR].turn.active(self.current_epoch)

    # -- the alternating step ------------------------------------------------------------------

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Take one step of each network, in the order of :attr:`discriminator_first`."""
        with shapes_explained(type(self).__name__, batch["image"]):
            self._take_turns(batch, batch_idx)

    def _take_turns(self, batch: dict[str, Any], batch_idx: int) -> None:
        with self._only(GENERATOR):
            made = self.generate(batch)
        if self.adversary_active and self.discriminator_first:
            self._step_discriminator(batch, made, batch_idx)
        with self._only(GENERATOR):
            terms = self.generator_terms(batch, made)
            self._step(GENERATOR, torch.stack(list(terms.values())).sum(), batch_idx)
        self._log_terms(GENERATOR, terms, sum(terms.values()), batch)
        if self.adversary_active and not self.discriminator_first:
            self._step_discriminator(batch, made, batch_idx)

    def _step_discriminator(self, batch: dict[str, Any], made: Tensor, batch_idx: int) -> None:
        with self._only(DISCRIMINATOR):
            terms = self.discriminator_terms(batch, made.detach())
            self._step(DISCRIMINATOR, torch.stack(list(terms.values())).mean(), batch_idx)
        self._log_terms(DISCRIMINATOR, terms, sum(terms.values()) / len(terms), batch)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the generator's optimizer, Adam for the discriminator, then the further ones."""
        momentum, beta2 = self.betas
        generator = create_optimizer(
            self.generator_optimizer,
            self.generator.parameters(),
            self.learning_rates[GENERATOR],
            momentum,
            self.generator_weight_decay,
            beta2,
        )
        discriminator = create_optimizer(
            "adam",
            self.discriminator.parameters(),
            self.learning_rates[DISCRIMINATOR],
            momentum,
            beta2=beta2,
        )
        return self.with_schedules([generator, discriminator, *self.further_optimizers()])
