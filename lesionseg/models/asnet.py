"""ASNet, trained as in its paper."""

from __future__ import annotations

from typing import Literal

from lesionseg.data.input_defaults import InputDefaults
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.optimizers import OptimizerName, ScheduleName
from lesionseg.models.supervised import SupervisedModule
from lesionseg.networks import create_network


class ASNet(SupervisedModule):
    """ASNet: ResNet34, adaptive scale module, U-shaped decoder (30,652,774 parameters).

    The defaults are the paper's: SGD at 0.01 with momentum 0.9 and weight decay 1e-4, poly learning
    rate of power 0.9, joint loss, 192 x 256 pixels, batches of 12, left-right flips.

    Source: Zhu et al., "ASNet: An adaptive scale network for skin lesion segmentation in
    dermoscopy images", SPIE Medical Imaging 2020, sections 2.1 to 2.5.

    Where the paper gives no value: the poly schedule steps every epoch, and the 80 epochs of the
    recipe are those of a related network of the same group. Equation 3 as printed takes the
    logarithm of the ground truth; ``loss="joint"`` is 0.5 BCE + (1 - Dice), ``"joint-positive"``
    the printed cross-entropy of the positive class with its arguments swapped. The encoder has
    random weights unless ``encoder_weights="imagenet"`` (the paper's), so that nothing is
    downloaded by default.

    Args:
        adaptive_scale: False leaves out the adaptive scale module (Table 2, "Baseline").
        dilations: Dilations of the three branches; (1, 1, 1) is Table 2's "w/o DI".
        fusion: ``"attention"`` (scale-aware modules) or ``"sum"`` (Table 2, "w/o SA").
        share_fusion: Use the same scale-aware module twice.
        residual: ``"convex"``: beta * f + (1 - beta) * x; ``"additive"``: beta * f + x.
        wide_decoder: Use residual blocks in the decoder (Table 2, "Baseline-Wide").
        encoder_weights: None, ``"imagenet"``, or a local file of the encoder's ImageNet classifier.
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
        encoder: ``"resnet34"`` (the paper's) or any encoder of segmentation-models-pytorch or
            timm, such as ``"efficientnet_lite0"``; see
            :class:`~lesionseg.networks.asnet.ASNetNetwork`.
        decoder_widths: Channels of the four decoder blocks, the deepest first; None derives them
            from the encoder.
        encoder_learning_rate: Learning rate of the encoder, usually smaller if it is pretrained;
            None takes ``learning_rate``. Both have the same schedule.
        warmup_fraction: See :class:`SupervisedModule`.
        teacher: None, or a checkpoint to distill from; see :class:`SegmentationModule`.
        teacher_weight: Weight of the teacher's term in the loss.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: If an argument is out of range.
        CheckpointError: If the encoder's weights are not available.
        LesionsegError: If there is no such encoder.

    Example:
        >>> import torch
        >>> from lesionseg import ASNet
        >>> model = ASNet().eval()
        >>> model.size, sum(weight.numel() for weight in model.network.parameters())
        ((192, 256), 30652774)
        >>> model(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 1, 64, 96])
    """

    input_defaults = InputDefaults(
        size=(192, 256), batch_size=12, augmentation=("horizontal_flip",)
    )

    def __init__(
        self,
        adaptive_scale: bool = True,
        dilations: tuple[int, int, int] = (1, 2, 4),
        fusion: Literal["attention", "sum"] = "attention",
        share_fusion: bool = False,
        residual: Literal["convex", "additive"] = "convex",
        wide_decoder: bool = False,
        encoder_weights: str | None = None,
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
        encoder: str = "resnet34",
        decoder_widths: tuple[int, int, int, int] | None = None,
        encoder_learning_rate: float | None = None,
        warmup_fraction: float = 0.3,
        teacher: str | None = None,
        teacher_weight: float = 1.0,
        init_from: str | None = None,
    ) -> None:
        network = create_network(
            "asnet",
            adaptive_scale=adaptive_scale,
            dilations=dilations,
            fusion=fusion,
            share_fusion=share_fusion,
            residual=residual,
            wide_decoder=wide_decoder,
            encoder_weights=None if init_from else encoder_weights,
            encoder=encoder,
            decoder_widths=decoder_widths,
        )
        super().__init__(
            network,
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
