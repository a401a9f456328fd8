"""Training of any network with one loss and one optimizer."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from lesionseg.losses import create_loss
from lesionseg.models.base import SegmentationModule
from lesionseg.models.optimisation import (
    OptimizerName,
    ScheduleName,
    check_choice,
    create_optimizer,
    create_schedule,
)


class SupervisedModule(SegmentationModule):
    """Trains a network on masks; base of :class:`ASNet` and :class:`Segmenter`.

    A subclass saves its own hyperparameters.

    Args:
        network: See :class:`SegmentationModule`.
        loss: A name of :func:`lesionseg.losses.create_loss`.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Basic (poly, constant) or peak (one-cycle) learning rate.
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: ``"poly"`` (once an epoch), ``"one-cycle"`` (every step) or ``"constant"``.
        power: The power of ``"poly"``.
        size: See :class:`SegmentationModule`.
        threshold: See :class:`SegmentationModule`.
        compile: See :class:`SegmentationModule`.
        channels_last: See :class:`SegmentationModule`.

    Raises:
        ValueError: An argument is out of range.
        LesionsegError: There is no such loss.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: str = "joint",
        optimizer: OptimizerName = "sgd",
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        schedule: ScheduleName = "poly",
        power: float = 0.9,
        size: tuple[int, int] | None = None,
        threshold: float = 0.5,
        compile: bool = False,
        channels_last: bool = False,
    ) -> None:
        super().__init__(network, size, threshold, compile, channels_last)
        check_choice("optimizer", optimizer, OptimizerName)
        check_choice("schedule", schedule, ScheduleName)
        if learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, got {learning_rate}")
        self.loss = create_loss(loss)
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.power = power

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """The loss of a batch."""
        loss: Tensor = self.loss(self(batch["image"]), batch["mask"])
        self.log(
            "train/loss",
            loss,
            on_step=True,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(batch["image"]),
        )
        return loss

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The training loss."""
        loss: Tensor = self.loss(logits, mask)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, with its schedule unless it is constant."""
        optimizer = create_optimizer(
            self.optimizer_name,
            self.network.parameters(),
            self.learning_rate,
            self.momentum,
            self.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = create_schedule(
            self.schedule,
            optimizer,
            epochs=self.trainer.max_epochs or 1,
            steps=steps,
            power=self.power,
        )
        if schedule is None:
            return optimizer
        self.planned_steps = [steps]
        scheduler, interval = schedule
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": interval},
        }
