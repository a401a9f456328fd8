"""Train a generator and a discriminator in turns."""

from __future__ import annotations

from abc import abstractmethod
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
    """Alternating training of a generator (``network`` by default) and a ``discriminator``.

    Each training step: backward and step of the generator with the discriminator frozen, then
    backward and step of the discriminator on detached fakes, or in the other order; both use the
    same fakes. Lightning's ``global_step`` counts the steps of both optimizers, two for each batch
    while both are trained. Lightning does not clip or accumulate gradients here; each network has
    its own arguments for that.

    A subclass implements :meth:`generator_terms`, :meth:`discriminator_terms` and
    :meth:`validation_loss`. It overrides :attr:`generator` and :meth:`generate` if the generator is
    not ``network``, and :meth:`further_optimizers` if it has ``further_players``.

    Args:
        network: Network that segments; also the generator, unless a subclass overrides it.
        discriminator: Network that takes (image, mask).
        generator_learning_rate: Learning rate of the generator.
        discriminator_learning_rate: Learning rate of the discriminator.
        betas: Adam's betas for both; the first is also SGD's momentum.
        generator_clip: Maximum gradient norm of the generator; None does not clip.
        discriminator_clip: Maximum gradient norm of the discriminator; None does not clip.
        generator_accumulation: Number of batches whose gradients are averaged for a generator step.
        discriminator_accumulation: The same for a discriminator step.
        schedule: ``"constant"``, ``"poly"`` (every epoch) or ``"one-cycle"`` (every step).
        discriminator_first_epoch: First epoch in which the discriminator trains.
        generator_end_epoch: Epoch from which the generator does not train any more.
        discriminator_end_epoch: Epoch from which the discriminator does not train any more.
        further_players: Networks that train after the two.
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
        ValueError: If an argument is out of range.
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
                f"expected generator_weight_decay to be at least 0, got {generator_weight_decay!r}"
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

    # -- for subclasses ------------------------------------------------------------------------

    @property
    def generator(self) -> nn.Module:
        """The network whose output the discriminator judges."""
        return self.network

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """Return the generator's output for a batch, logits (N, 1, H, W) by default."""
        logits: Tensor = self(batch["image"])
        return logits

    @abstractmethod
    def generator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the generator's weighted loss terms by name; their sum is minimized.

        Args:
            batch: Batch of images and masks.
            generated: Result of :meth:`generate`.
        """

    @abstractmethod
    def discriminator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the discriminator's loss terms by name; their mean is minimized.

        Args:
            batch: Batch of images and masks.
            generated: Result of :meth:`generate`, detached.
        """

    def further_optimizers(self) -> list[Optimizer]:
        """Return an optimizer for each of ``further_players``."""
        return []

    @property
    def adversary_active(self) -> bool:
        """Whether the discriminator trains in the current epoch."""
        return self.players[DISCRIMINATOR].turn.active(self.current_epoch)

    # -- the alternating step ------------------------------------------------------------------

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Take one step of each network, in the order of :attr:`discriminator_first`."""
        with shapes_explained(type(self).__name__, batch["image"]):
            self._take_turns(batch, batch_idx)

    def _take_turns(self, batch: dict[str, Any], batch_idx: int) -> None:
        with self._only(GENERATOR):
            generated = self.generate(batch)
        if self.adversary_active and self.discriminator_first:
            self._step_discriminator(batch, generated, batch_idx)
        with self._only(GENERATOR):
            terms = self.generator_terms(batch, generated)
            self._step(GENERATOR, torch.stack(list(terms.values())).sum(), batch_idx)
        self._log_terms(GENERATOR, terms, sum(terms.values()), batch)
        if self.adversary_active and not self.discriminator_first:
            self._step_discriminator(batch, generated, batch_idx)

    def _step_discriminator(self, batch: dict[str, Any], generated: Tensor, batch_idx: int) -> None:
        with self._only(DISCRIMINATOR):
            terms = self.discriminator_terms(batch, generated.detach())
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
