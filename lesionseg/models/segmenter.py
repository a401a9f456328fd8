"""Any network of the registry, trained the supervised way."""

from __future__ import annotations

from typing import Any

from lesionseg.checkpoints import forget
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.optimizers import OptimizerName, ScheduleName
from lesionseg.models.supervised import SupervisedModule
from lesionseg.networks import create_network


class Segmenter(SupervisedModule):
    """One LightningModule for every supervised network: ``Segmenter(network="smp:unet/resnet34")``.

    Its default recipe is one that suits training from scratch: AdamW at 1e-3, one cycle.

    Args:
        network: A name that ``lesionseg models`` lists, such as ``unet``, or
            ``smp:<architecture>/<encoder>`` for any model of segmentation-models-pytorch.
        network_arguments: Keyword arguments of that network.
        loss: ``"joint"``, ``"joint-positive"``, ``"dice"``, ``"jaccard"``, ``"lovasz"`` or
            ``"nll-epe"``.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Basic (poly, constant) or peak (one-cycle) learning rate.
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: ``"poly"``, ``"one-cycle"`` or ``"constant"``.
        power: The power of ``"poly"``.
        size: (height, width) at which images are fed; None: 192 x 256.
        threshold: A pixel is lesion where its probability exceeds this.
        compile: Compile the network with ``torch.compile``.
        channels_last: Keep weights and feature maps in channels-last memory order, in which
            most convolutions run fastest.
        encoder_learning_rate: See :class:`SupervisedModule`.
        warmup_fraction: See :class:`SupervisedModule`.
        teacher: None, or the checkpoint of a trained model to learn from as well; see
            :class:`SegmentationModule`.
        teacher_weight: Weight of the teacher's term in the loss.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: An argument is out of range.
        LesionsegError: There is no such network or loss.
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
        if init_from:  # which brings the encoder's weights as well
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
