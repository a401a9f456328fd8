"""SegAN: a segmentor and a critic that compares features at several scales."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lesionseg.data.input_defaults import InputDefaults
from lesionseg.inference.postprocess import probabilities
from lesionseg.losses import MultiScaleL1Loss, create_loss
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.adversarial import DISCRIMINATOR, AdversarialModule
from lesionseg.models.optimizers import ScheduleName
from lesionseg.networks import SegANCritic, create_network


class SegAN(AdversarialModule):
    """SegAN: a 156,265,344-parameter segmentor and a 60,182,720-parameter critic.

    The critic takes the image times a mask. It maximizes the difference (multi-scale L1) of the
    features of ground truth and prediction, the segmentor minimizes it together with the Dice loss.
    The critic's weights are clipped after each of its steps.

    Source: Xue et al., "SegAN: Adversarial Network with Multi-scale L1 Loss for Medical Image
    Segmentation", Neuroinformatics 16, 2018; for skin lesions, the authors' version for ISIC 2017:
    128 x 128 pixels, batches of 50, horizontal and vertical flips.

    Chosen: Adam at 2e-4 with betas (0.5, 0.999) for both networks (the paper trains on brain scans
    with RMSProp at 2e-5); the segmentor steps before the critic, on the same predictions (the
    paper's critic steps first: ``discriminator_first=True``); equal weights of all scales; soft
    Dice per image with sums that are not squared. All parameters of the critic are clipped,
    including those of its batch normalization, as in the authors' version.

    Args:
        width: Channels of the segmentor's first level; all others scale with it.
        critic_width: Channels of the critic's first stage; all others scale with it.
        critic_branches: Add global convolutions to the critic's first four stages; without them
            training is much faster.
        weight_clip: Maximum absolute value of the critic's parameters; None does not clip.
        spectral_norm: Use spectral normalization of the critic's convolutions instead;
            ``weight_clip`` is ignored then.
        generator_learning_rate: Adam's learning rate for the segmentor.
        discriminator_learning_rate: Adam's learning rate for the critic.
        betas: Adam's betas for both networks.
        generator_clip: Maximum gradient norm of the segmentor; None does not clip.
        discriminator_clip: Maximum gradient norm of the critic; None does not clip.
        generator_accumulation: Batches whose gradients are averaged for one segmentor step.
        discriminator_accumulation: Batches whose gradients are averaged for one step of the critic.
        schedule: ``"constant"``, ``"poly"`` or ``"one-cycle"``.
        size: (height, width) of the images that the network sees, at least 32; None takes
            128 x 128.
        threshold: A pixel is lesion if its probability is above this.
        compile: Compile both networks with ``torch.compile``.
        channels_last: Store both networks in channels-last memory order, in which most
            convolutions are fastest.
        discriminator_first: Whether the critic steps before the segmentor, as in the paper.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from lesionseg import SegAN
        >>> model = SegAN(width=4, critic_width=4, size=(32, 32)).eval()
        >>> model(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 1, 32, 32])
    """

    input_defaults = InputDefaults(
        size=(128, 128), batch_size=50, augmentation=("horizontal_flip", "vertical_flip")
    )

    def __init__(
        self,
        width: int = 64,
        critic_width: int = 64,
        critic_branches: bool = True,
        weight_clip: float | None = 0.05,
        spectral_norm: bool = False,
        generator_learning_rate: float = 2e-4,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        generator_accumulation: int = 1,
        discriminator_accumulation: int = 1,
        schedule: ScheduleName = "constant",
        size: tuple[int, int] | None = None,
        threshold: float = PROBABILITY_THRESHOLD,
        compile: bool = False,
        channels_last: bool = False,
        discriminator_first: bool = False,
        init_from: str | None = None,
    ) -> None:
        if weight_clip is not None and weight_clip <= 0:
            raise ValueError(f"expected weight_clip to be positive or None, got {weight_clip!r}")
        super().__init__(
            create_network("segan", width=width),
            SegANCritic(critic_width, critic_branches, spectral_norm),
            generator_learning_rate=generator_learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
            betas=betas,
            generator_clip=generator_clip,
            discriminator_clip=discriminator_clip,
            generator_accumulation=generator_accumulation,
            discriminator_accumulation=discriminator_accumulation,
            schedule=schedule,
            size=size,
            threshold=threshold,
            compile=compile,
            channels_last=channels_last,
            init_from=init_from,
            discriminator_first=discriminator_first,
        )
        self.save_hyperparameters()
        self.dice_loss = create_loss("dice")
        self.multi_scale_loss = MultiScaleL1Loss()
        self.weight_clip = None if spectral_norm else weight_clip

    def generator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the multi-scale L1 and the Dice loss."""
        return {
            "multi_scale_l1": self._difference(batch, generated),
            "dice": self.dice_loss(generated, batch["mask"]),
        }

    def discriminator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the negative multi-scale L1, which the critic minimizes."""
        return {"multi_scale_l1": -self._difference(batch, generated)}

    def _difference(self, batch: dict[str, Any], logits: Tensor) -> Tensor:
        loss: Tensor = self.multi_scale_loss(
            self.discriminator(batch["image"], probabilities(logits)),
            self.discriminator(batch["image"], batch["mask"]),
        )
        return loss

    @torch.no_grad()
    def after_step(self, which: int) -> None:
        """Clip the critic's weights."""
        if which == DISCRIMINATOR and self.weight_clip is not None:
            for parameter in self.discriminator.parameters():
                parameter.clamp_(-self.weight_clip, self.weight_clip)

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the Dice loss; the critic's depends on the epoch."""
        loss: Tensor = self.dice_loss(logits, mask)
        return loss
