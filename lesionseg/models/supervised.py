"""Train a network with a loss and an optimizer."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from lesionseg.losses import create_loss
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.base import SegmentationModule
from lesionseg.models.finite import check_terms
from lesionseg.models.optimizers import (
    OptimizerName,
    ScheduleName,
    check_choice,
    create_optimizer,
)


class SupervisedModule(SegmentationModule):
    """Supervised training; base of :class:`ASNet` and :class:`Segmenter`.

    A subclass calls ``save_hyperparameters``.

    Args:
        network: See :class:`SegmentationModule`.
        loss: ``"joint"``, ``"joint-positive"``, ``"dice"``, ``"jaccard"``, ``"lovasz"`` or
            ``"nll-epe"``.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Basic (poly, constant) or peak (one-cycle) learning rate.
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: ``"poly"`` (every epoch), ``"one-cycle"`` (every step) or ``"constant"``.
        power: Power of ``"poly"``.
        size: See :class:`SegmentationModule`.
        threshold: See :class:`SegmentationModule`.
        compile: See :class:`SegmentationModule`.
        channels_last: See :class:`SegmentationModule`.
        encoder_learning_rate: Learning rate of the network's encoder, with the same schedule as
            the rest; None takes ``learning_rate``.
        warmup_fraction: Share of the steps in which ``"one-cycle"`` raises the learning rate.
        teacher: See :class:`SegmentationModule`.
        teacher_weight: See :class:`SegmentationModule`.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: If an argument is out of range, or ``encoder_learning_rate`` is given for a
            network without an encoder.
        LesionsegError: If there is no such loss.
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
        threshold: float = PROBABILITY_THRESHOLD,
        compile: bool = False,
        channels_last: bool = False,
        encoder_learning_rate: float | None = None,
        warmup_fraction: float = 0.3,
        teacher: str | None = None,
        teacher_weight: float = 1.0,
        init_from: str | None = None,
    ) -> None:
        super().__init__(
            network, size, threshold, compile, channels_last, teacher, teacher_weight, init_from
        )
        check_choice("optimizer", optimizer, OptimizerName)
        check_choice("schedule", schedule, ScheduleName)
        if learning_rate <= 0:
            raise ValueError(f"expected learning_rate to be positive, got {learning_rate!r}")
        if encoder_learning_rate is not None and encoder_learning_rate <= 0:
            raise ValueError(
                f"expected encoder_learning_rate to be positive, got {encoder_learning_rate!r}"
            )
        if not 0 < warmup_fraction < 1:
            raise ValueError(
                f"expected warmup_fraction to be between 0 and 1, got {warmup_fraction!r}"
            )
        self.encoder_learning_rate = encoder_learning_rate
        self.warmup_fraction = warmup_fraction
        if encoder_learning_rate is not None:
            encoder_of(self.network)
        self.loss = create_loss(loss)
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.power = power

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Return the loss of a batch, with the teacher's term if there is a teacher."""
        logits = self(batch["image"])
        loss: Tensor = self.loss(logits, batch["mask"])
        count = len(batch["image"])
        terms = self.teacher_terms(batch, logits)
        check_terms(self, {"train/loss": loss} | {f"train/{k}": v for k, v in terms.items()})
        for name, term in terms.items():
            loss = loss + term
            self.log(f"train/{name}", term.detach(), on_epoch=True, batch_size=count)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=count)
        return loss

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the training loss."""
        loss: Tensor = self.loss(logits, mask)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer, with its schedule unless it is constant."""
        optimizer = create_optimizer(
            self.optimizer_name,
            self._parameter_groups(),
            self.learning_rate,
            self.momentum,
            self.weight_decay,
        )
        schedule = self.add_schedule(
            self.schedule, optimizer, 0, self.power, warmup_fraction=self.warmup_fraction
        )
        if schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": schedule.interval},
        }

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Return all parameters, those of the encoder in a group with its learning rate."""
        if self.encoder_learning_rate is None:
            return [{"params": list(self.network.parameters())}]
        encoder = list(encoder_of(self.network).parameters())
        encoder_ids = {id(parameter) for parameter in encoder}
        others = [p for p in self.network.parameters() if id(p) not in encoder_ids]
        return [{"params": others}, {"params": encoder, "lr": self.encoder_learning_rate}]


def encoder_of(network: nn.Module) -> nn.Module:
    """Return a network's encoder: its ``encoder``, or that of its smp model.

    Raises:
        ValueError: If it has none.
    """
    encoder = getattr(network, "encoder", None) or getattr(
        getattr(network, "model", None), "encoder", None
    )
    if not isinstance(encoder, nn.Module):
        raise ValueError(
            f"expected the network to have an encoder for encoder_learning_rate, got "
            f"{type(network).__name__}; leave encoder_learning_rate out"
        )
    return encoder
