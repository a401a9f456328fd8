"""MobileGAN, trained as in its paper."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.blocks.attention import KeyPooling
from lesionseg.data.input_defaults import InputDefaults
from lesionseg.inference.postprocess import probabilities
from lesionseg.losses import AdversarialLoss, create_loss
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.adversarial import AdversarialModule
from lesionseg.models.optimizers import OptimizerName, ScheduleName
from lesionseg.networks import MobileGANDiscriminator, create_network
from lesionseg.networks.temperature import temperature_of


class MobileGAN(AdversarialModule):
    """MobileGAN: a 2,348,204-parameter generator trained against a patch discriminator.

    The defaults are the paper's: Adam at 2e-4 with betas (0.5, 0.999) for both networks, batches of
    8, 128 x 128 pixels, horizontal and vertical flips, gamma and CLAHE; equation 1 with L1 weight
    0.1 and Jaccard weight 0.5, equation 2 for the discriminator.

    Source: Sarker et al., "MobileGAN: Skin Lesion Segmentation Using a Lightweight Generative
    Adversarial Network", 2019, sections 2.1, 2.2 and 3.

    Where the paper gives no value or contradicts itself: it names the weights "of Jaccard loss and
    L1 (lambda and alpha)" but equation 1 has lambda on L1 and alpha on Jaccard; the equation is
    followed. The Jaccard loss is the soft one per image; ``jaccard_loss="lovasz"`` is the "tight
    convex surrogate". The generator steps before the discriminator, on the same fakes; section 2.2
    describes ``discriminator_first=True``. The discriminator's two terms are averaged.

    During the warm-up, and with ``adversarial_weight=0``, the discriminator neither runs nor
    trains: the generator is trained supervised, for which ``generator_optimizer="adamw"``,
    ``betas=(0.9, 0.999)`` and ``schedule="one-cycle"`` are usual. All terms are
    logged under ``train/generator/`` and ``train/discriminator/``.

    Args:
        encoder_widths: Channels of the multi-scale block and of the three CDA layers.
        decoder_widths: Channels of the two decoder stages; a parallel decoder uses the first for
            both streams.
        decoder: ``"serial"``: DUA and two FCA, twice; ``"parallel"``, the paper's literal text: two
            such streams in parallel, summed.
        cda_stride: Stride of a CDA layer's convolution: 1, or 2 as the paper's literal text says.
        z_dropout: Probability of the decoder's dropout, the noise z.
        adversarial_weight: Weight of the adversarial term; 1.0 as printed.
        l1_weight: Weight of the L1 loss, lambda of equation 1.
        jaccard_weight: Weight of the Jaccard loss, alpha of equation 1.
        jaccard_loss: ``"jaccard"`` (soft) or ``"lovasz"``.
        warmup_epochs: Number of epochs before the adversary starts.
        samples: Number of Monte-Carlo samples of z in test and predict; 0 is the deterministic
            network. With 2 or more, ``predict`` also returns the standard deviation as uncertainty.
        generator_learning_rate: Learning rate of the generator.
        discriminator_learning_rate: Learning rate of the discriminator.
        betas: Adam's betas for both; the first is also SGD's momentum.
        generator_clip: Maximum gradient norm of the generator; None does not clip.
        discriminator_clip: Maximum gradient norm of the discriminator; None does not clip.
        generator_accumulation: Batches whose gradients are averaged for one generator step.
        discriminator_accumulation: Batches whose gradients are averaged for one discriminator step.
        schedule: ``"constant"``, ``"poly"`` or ``"one-cycle"``.
        size: (height, width) of the images that the network sees, multiples of 8; None takes
            128 x 128.
        threshold: A pixel is lesion if its probability is above this.
        compile: Compile both networks with ``torch.compile``.
        channels_last: Store both networks in channels-last memory order, in which most
            convolutions are fastest.
        key_stride: 1 for the paper's attention; 2 or 4 for a faster one.
        key_pooling: How ``key_stride`` shrinks the keys: ``"average"`` or ``"max"``.
        dilations: Dilations of the eight factorized layers at the lowest resolution, repeated.
        discriminator_first: Whether the discriminator steps before the generator.
        generator_optimizer: ``"adam"``, ``"adamw"`` or ``"sgd"``; the discriminator's is Adam.
        generator_weight_decay: L2 penalty of the generator (decoupled for AdamW).
        teacher: None, or a checkpoint to distill from; see :class:`SegmentationModule`.
        teacher_weight: Weight of the teacher's term in the generator's loss.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from lesionseg import MobileGAN
        >>> model = MobileGAN(samples=4).eval()
        >>> model.size, sum(weight.numel() for weight in model.network.parameters())
        ((128, 128), 2348204)
        >>> with torch.inference_mode():
        ...     probability, uncertainty = model.predict_maps(torch.rand(1, 3, 32, 32))
        >>> probability.shape, uncertainty.shape
        (torch.Size([1, 1, 32, 32]), torch.Size([1, 1, 32, 32]))
    """

    input_defaults = InputDefaults(
        size=(128, 128),
        batch_size=8,
        augmentation=("horizontal_flip", "vertical_flip", "gamma", "clahe"),
    )

    def __init__(
        self,
        encoder_widths: tuple[int, int, int, int] = (16, 32, 64, 128),
        decoder_widths: tuple[int, int] = (64, 32),
        decoder: Literal["serial", "parallel"] = "serial",
        cda_stride: int = 1,
        z_dropout: float = 0.3,
        adversarial_weight: float = 1.0,
        l1_weight: float = 0.1,
        jaccard_weight: float = 0.5,
        jaccard_loss: Literal["jaccard", "lovasz"] = "jaccard",
        warmup_epochs: int = 0,
        samples: int = 0,
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
        key_stride: int = 1,
        key_pooling: KeyPooling = "average",
        dilations: tuple[int, ...] = (2, 4, 8, 16),
        discriminator_first: bool = False,
        generator_optimizer: OptimizerName = "adam",
        generator_weight_decay: float = 0.0,
        teacher: str | None = None,
        teacher_weight: float = 1.0,
        init_from: str | None = None,
    ) -> None:
        for name, value in (
            ("adversarial_weight", adversarial_weight),
            ("l1_weight", l1_weight),
            ("jaccard_weight", jaccard_weight),
            ("warmup_epochs", warmup_epochs),
            ("samples", samples),
        ):
            if value < 0:
                raise ValueError(f"expected {name} to be at least 0, got {value!r}")
        super().__init__(
            create_network(
                "mobilegan",
                encoder_widths=encoder_widths,
                decoder_widths=decoder_widths,
                decoder=decoder,
                cda_stride=cda_stride,
                z_dropout=z_dropout,
                key_stride=key_stride,
                key_pooling=key_pooling,
                dilations=dilations,
            ),
            MobileGANDiscriminator(),
            generator_learning_rate=generator_learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
            betas=betas,
            generator_clip=generator_clip,
            discriminator_clip=discriminator_clip,
            generator_accumulation=generator_accumulation,
            discriminator_accumulation=discriminator_accumulation,
            schedule=schedule,
            discriminator_first_epoch=warmup_epochs,
            discriminator_end_epoch=None if adversarial_weight > 0 else 0,
            size=size,
            threshold=threshold,
            compile=compile,
            channels_last=channels_last,
            init_from=init_from,
            discriminator_first=discriminator_first,
            generator_optimizer=generator_optimizer,
            generator_weight_decay=generator_weight_decay,
            teacher=teacher,
            teacher_weight=teacher_weight,
        )
        self.save_hyperparameters()
        self.adversarial_loss = AdversarialLoss()
        self.jaccard_loss = create_loss(jaccard_loss)
        self.adversarial_weight = adversarial_weight
        self.l1_weight = l1_weight
        self.jaccard_weight = jaccard_weight
        self.samples = samples

    def generator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms of equation 1, and the teacher's if there is a teacher."""
        terms = self._supervised_terms(generated, batch["mask"]) | self.teacher_terms(
            batch, generated
        )
        if self.adversary_active:
            verdict = self.discriminator(batch["image"], probabilities(generated))
            terms["adversarial"] = self.adversarial_weight * self.adversarial_loss(
                verdict, real=True
            )
        return terms

    def discriminator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the two terms of equation 2."""
        real = self.discriminator(batch["image"], batch["mask"])
        fake = self.discriminator(batch["image"], probabilities(generated))
        return {
            "real": self.adversarial_loss(real, real=True),
            "fake": self.adversarial_loss(fake, real=False),
        }

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the sum of the generator's supervised terms."""
        return torch.stack(list(self._supervised_terms(logits, mask).values())).sum()

    def _supervised_terms(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {
            "l1": self.l1_weight * F.l1_loss(probabilities(logits), mask.float()),
            "jaccard": self.jaccard_weight * self.jaccard_loss(logits, mask),
        }

    def predict_maps(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mean probability and, with several samples of z, its standard deviation."""
        if self.samples == 0:
            return super().predict_maps(image)
        logits = self.network.monte_carlo(image, self.samples)  # type: ignore[operator]
        maps = probabilities(logits / temperature_of(self.network))
        return maps.mean(0), maps.std(0) if self.samples > 1 else None
