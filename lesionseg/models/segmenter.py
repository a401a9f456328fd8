"""Supervised training of any registered network."""

from __future__ import annotations

from typing import Any

from lesionseg.checkpoints import forget
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.optimizers import OptimizerName, ScheduleName
from lesionseg.models.supervised import SupervisedModule
from lesionseg.networks import create_network


class Segmenter(SupervisedModule):
    """Supervised training of any registered network, such as ``smp:unet/resnet34``.

    The defaults suit training from scratch: AdamW at 1e-3, one-cycle schedule.

    Args:
        network: Name that ``lesionseg models`` lists, such as ``unet``, or
            ``smp:<architecture>/<encoder>`` for any model of segmentation-models-pytorch.
        network_arguments: Keyword arguments of that network.
        loss: ``"joint"``, ``"joint-positive"``, ``"dice"``, ``"jaccard"``, ``"lovasz"`` or
            ``"nll-epe"``.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Basic (poly, constant) or peak (one-cycle) learning rate.
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: ``"poly"``, ``"one-cycle"`` or ``"constant"``.
        power: Power of ``"poly"``.
        size: (height, width) of the images that the network sees; None takes 192 x 256.
        threshold: A pixel is lesion if its probability is above this.
        compile: Compile the network with ``torch.compile``.
        channels_last: Store weights and feature maps in channels-last memory order, in which
            most convolutions are fastest.
        encoder_learning_rate: See :class:`SupervisedModule`.
        warmup_fraction: See :class:`SupervisedModule`.
        teacher: None, or a checkpoint to distill from; see :class:`SegmentationModule`.
        teacher_weight: Weight of the teacher's term in the loss.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: If an argument is out of range.
        LesionsegError: If there is no such network or loss.

    Example:
        >>> import torch
        >>> from lesionseg import Segmenter
        >>> model = Segmenter("unet", {"width": 4}, loss="lovasz", size=(32, 48))
        >>> model(torch.rand(2, 3, 32, 48)).shape
        torch.Size([2, 1, 32, 48])
    """

    def __init__(
        self,
        network: str = "asnet",
        network_arguments: dict[str, Any] | None = None,
        loss: str = "joint",
        optimizer: OptimizerName = "adamw",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 1e-2,
        schedule: ScheduleName = "one-cycle",
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
        arguments = dict(network_arguments or {})
        if init_from:  # it has the encoder's weights too
            forget(arguments)
        super().__init__(
            create_network(network, **arguments),
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            schedule=schedule,
            power=power,
            size=size,
            threshold=threshold,
            compile=compile,
            channels_last=channels_last,
            init_from=init_from,
            encoder_learning_rate=encoder_learning_rate,
            warmup_fraction=warmup_fraction,
            teacher=teacher,
            teacher_weight=teacher_weight,
        )
        self.save_hyperparameters()
