"""GAN-FCN: a GAN paints lesion images that augment the training of a network."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from lesionseg._moved import RenamedAttribute, warn_renamed
from lesionseg.checkpoints import forget
from lesionseg.losses import AdversarialLoss, create_loss
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.adversarial import AdversarialModule
from lesionseg.models.alternating import Player
from lesionseg.models.optimizers import (
    OptimizerName,
    ScheduleName,
    check_choice,
    create_optimizer,
)
from lesionseg.models.planning import plan_fit
from lesionseg.networks import ImageSynthesizer, MobileGANDiscriminator, create_network

SEGMENTER = 2


class GANFCN(AdversarialModule):
    """GAN-FCN: a pix2pix GAN learns to paint images of masks, which augment the training of an FCN.

    In the first ``synthesis_epochs`` epochs only the GAN trains: a generator paints an image for
    each mask, a discriminator judges (image, mask), and the generator minimizes the adversarial
    loss + ``l1_weight`` * L1. After them only the FCN trains, on every real batch and on images
    that the GAN paints for randomly moved masks of the batch. Validation, test, prediction and
    export use the FCN; its scores are meaningless until it trains.

    Source: Bi, Feng, Kim, "Improving Automatic Skin Lesion Segmentation using Adversarial Learning
    based Data Augmentation", 2018; Isola et al., pix2pix (CVPR 2017), for the GAN.

    Not implemented: the first paper's learning "at different level of complexities, in a controlled
    manner".

    Chosen: both stages in one fit; MobileGAN's discriminator, which is pix2pix's four 4x4
    convolutions with attention between them; L1 of images in [0, 1], not [-1, 1]; the generator
    steps before the discriminator; masks are moved by flips, any rotation, scaling by 0.8 to 1.2
    and translation by up to a tenth of the image; no adversarial loss on masks; the FCN's optimizer
    is that of :class:`Segmenter`. Its schedule spans the epochs in which it trains; the learning
    rates of the GAN are constant.

    Args:
        network: Name of the FCN, from those that ``lesionseg models`` lists.
        network_arguments: Keyword arguments of the FCN.
        synthesis_epochs: Number of epochs at the start in which the GAN trains.
        synthetic_share: Synthetic images for each real one, rounded up in each batch; 0 is plain
            supervised training after the first stage.
        l1_weight: Weight of the generator's L1.
        synthesizer_width: Channels of the first level of the GAN's generator; they double at each
            level, up to eight times as many.
        synthesizer_depth: Number of downsamplings in the GAN's generator, at least 2; height and
            width must be multiples of 2 to this power.
        loss: The FCN's: ``"joint"``, ``"joint-positive"``, ``"dice"``, ``"jaccard"``, ``"lovasz"``
            or ``"nll-epe"``.
        optimizer: The FCN's: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: The FCN's learning rate, basic (poly, constant) or peak (one-cycle).
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: The FCN's: ``"poly"``, ``"one-cycle"`` or ``"constant"``.
        power: Power of ``"poly"``.
        generator_learning_rate: Adam's learning rate for the GAN's generator.
        discriminator_learning_rate: Adam's learning rate for the discriminator.
        betas: Adam's betas for both.
        generator_clip: Maximum gradient norm of the generator; None does not clip.
        discriminator_clip: Maximum gradient norm of the discriminator; None does not clip.
        segmenter_clip: Maximum gradient norm of the FCN; None does not clip.
        generator_accumulation: Batches whose gradients are averaged for one generator step.
        discriminator_accumulation: Batches whose gradients are averaged for one discriminator step.
        segmenter_accumulation: Batches whose gradients are averaged for one step of the FCN.
        size: (height, width) of the images that the network sees; None takes 192 x 256.
        threshold: A pixel is lesion if its probability is above this.
        compile: Compile all three networks with ``torch.compile``.
        channels_last: Store all three networks in channels-last memory order, in which most
            convolutions are fastest.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.
        synthesiser_width: Deprecated name of ``synthesizer_width``.
        synthesiser_depth: Deprecated name of ``synthesizer_depth``.

    Raises:
        ValueError: If an argument is out of range.
        LesionsegError: If there is no such network or loss.

    Example:
        >>> import torch
        >>> from lesionseg import GANFCN
        >>> model = GANFCN("unet", {"width": 4}, synthesizer_width=4, synthesizer_depth=4).eval()
        >>> mask = torch.zeros(1, 1, 32, 48)
        >>> model.synthesize(mask).shape, model(torch.rand(1, 3, 32, 48)).shape
        (torch.Size([1, 3, 32, 48]), torch.Size([1, 1, 32, 48]))
    """

    synthesise = RenamedAttribute("synthesize")
    synthesiser = RenamedAttribute("synthesizer")
    synthesising = RenamedAttribute("synthesizing")

    def __init__(
        self,
        network: str = "fcn8s",
        network_arguments: dict[str, Any] | None = None,
        synthesis_epochs: int = 20,
        synthetic_share: float = 0.5,
        l1_weight: float = 100.0,
        synthesizer_width: int = 64,
        synthesizer_depth: int = 6,
        loss: str = "joint",
        optimizer: OptimizerName = "adamw",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 1e-2,
        schedule: ScheduleName = "one-cycle",
        power: float = 0.9,
        generator_learning_rate: float = 2e-4,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        generator_clip: float | None = None,
        discriminator_clip: float | None = None,
        segmenter_clip: float | None = None,
        generator_accumulation: int = 1,
        discriminator_accumulation: int = 1,
        segmenter_accumulation: int = 1,
        size: tuple[int, int] | None = None,
        threshold: float = PROBABILITY_THRESHOLD,
        compile: bool = False,
        channels_last: bool = False,
        init_from: str | None = None,
        synthesiser_width: int | None = None,
        synthesiser_depth: int | None = None,
    ) -> None:
        if synthesiser_width is not None:
            warn_renamed("synthesiser_width", "synthesizer_width")
            synthesizer_width = synthesiser_width
        if synthesiser_depth is not None:
            warn_renamed("synthesiser_depth", "synthesizer_depth")
            synthesizer_depth = synthesiser_depth
        check_choice("optimizer", optimizer, OptimizerName)
        if learning_rate <= 0:
            raise ValueError(f"expected learning_rate to be positive, got {learning_rate!r}")
        for name, value in (
            ("synthesis_epochs", synthesis_epochs),
            ("synthetic_share", synthetic_share),
            ("l1_weight", l1_weight),
        ):
            if value < 0:
                raise ValueError(f"expected {name} to be at least 0, got {value!r}")
        if synthetic_share > 0 and synthesis_epochs == 0:
            raise ValueError(
                "expected synthesis_epochs to be at least 1, got 0, which leaves the generator "
                "untrained; give at least 1, or synthetic_share=0"
            )
        arguments = dict(network_arguments or {})
        if init_from:  # it has the encoder's weights too
            forget(arguments)
        super().__init__(
            create_network(network, **arguments),
            MobileGANDiscriminator(),
            generator_learning_rate=generator_learning_rate,
            discriminator_learning_rate=discriminator_learning_rate,
            betas=betas,
            generator_clip=generator_clip,
            discriminator_clip=discriminator_clip,
            generator_accumulation=generator_accumulation,
            discriminator_accumulation=discriminator_accumulation,
            generator_end_epoch=synthesis_epochs,
            discriminator_end_epoch=synthesis_epochs,
            further_players=(
                Player(
                    "segmenter",
                    segmenter_clip,
                    segmenter_accumulation,
                    schedule,
                    power,
                    first_epoch=synthesis_epochs,
                    poly_waits=True,
                ),
            ),
            size=size,
            threshold=threshold,
            compile=compile,
            channels_last=channels_last,
            init_from=init_from,
        )
        self.save_hyperparameters(ignore=["synthesiser_width", "synthesiser_depth"])
        self.synthesizer = ImageSynthesizer(synthesizer_width, synthesizer_depth)
        self.adversarial_loss = AdversarialLoss()
        self.loss = create_loss(loss)
        self.synthesis_epochs = synthesis_epochs
        self.synthetic_share = synthetic_share
        self.l1_weight = l1_weight
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self._prepare(self.synthesizer, compile, channels_last)

    # -- the GAN -------------------------------------------------------------------------------

    @property
    def generator(self) -> nn.Module:
        """The network that paints images."""
        return self.synthesizer

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """Paint images, float32 (N, 3, H, W) in [0, 1], of the masks of a batch."""
        image: Tensor = self.synthesizer(batch["mask"])
        return image

    @torch.no_grad()
    def synthesize(self, mask: Tensor) -> Tensor:
        """Paint a lesion image for each mask, with noise in training mode only.

        Args:
            mask: (N, 1, H, W) in {0, 1}, any type, on the model's device.

        Returns:
            float32 (N, 3, H, W) in [0, 1], detached.

        Raises:
            ValueError: If the masks are not (N, 1, H, W), or height or width is not a multiple of
                2 ** ``synthesizer_depth``.
        """
        image: Tensor = self.synthesizer(mask)
        return image

    def generator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the adversarial term and the weighted L1."""
        verdict = self.discriminator(generated, batch["mask"])
        return {
            "adversarial": self.adversarial_loss(verdict, real=True),
            "l1": self.l1_weight * F.l1_loss(generated, batch["image"].float()),
        }

    def discriminator_terms(self, batch: dict[str, Any], generated: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropies of real and painted images."""
        real = self.discriminator(batch["image"], batch["mask"])
        fake = self.discriminator(generated, batch["mask"])
        return {
            "real": self.adversarial_loss(real, real=True),
            "fake": self.adversarial_loss(fake, real=False),
        }

    # -- the FCN -------------------------------------------------------------------------------

    @property
    def synthesizing(self) -> bool:
        """Whether the GAN trains in the current epoch."""
        return self.current_epoch < self.synthesis_epochs

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Take a step of generator and discriminator, or of the FCN."""
        if self.synthesizing:
            super().training_step(batch, batch_idx)
            return
        with self._only(SEGMENTER):
            terms = self.segmenter_terms(batch)
            loss = torch.stack(list(terms.values())).sum()
            self._step(SEGMENTER, loss, batch_idx)
        self._log_terms(SEGMENTER, terms, loss.detach(), batch)

    def segmenter_terms(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return the FCN's losses of real and synthetic images, weighted by their numbers."""
        image, mask = batch["image"], batch["mask"]
        real, painted = len(image), math.ceil(self.synthetic_share * len(image))
        if not painted:
            return {"real": self.loss(self(image), mask)}
        chosen = torch.arange(painted, device=mask.device) % real
        moved = move_masks(mask[torch.randperm(real, device=mask.device)[chosen]])
        logits = self(torch.cat([image, self.synthesize(moved).to(image.dtype)]))
        total = real + painted
        return {
            "real": real / total * self.loss(logits[:real], mask),
            "synthetic": painted / total * self.loss(logits[real:], moved),
        }

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the FCN's training loss."""
        loss: Tensor = self.loss(logits, mask)
        return loss

    def further_optimizers(self) -> list[Optimizer]:
        """Return the FCN's optimizer."""
        return [
            create_optimizer(
                self.optimizer_name,
                self.network.parameters(),
                self.learning_rate,
                self.momentum,
                self.weight_decay,
            )
        ]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam for generator and discriminator, then the FCN's optimizer."""
        epochs = plan_fit(self.trainer, self.turns()).end_epoch
        if epochs is not None and 0 < epochs <= self.synthesis_epochs:
            rank_zero_warn(
                f"the segmenting network does not train in {epochs} epochs; give "
                f"more, or fewer synthesis_epochs than {self.synthesis_epochs}."
            )
        return super().configure_optimizers()


def move_masks(mask: Tensor) -> Tensor:
    """Flip, rotate, scale and translate each mask at random, with background at the borders.

    Args:
        mask: (N, 1, H, W) in {0, 1}.

    Returns:
        float32 of the same shape, in {0, 1}.
    """
    count, _, height, width = mask.shape

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, device=mask.device, dtype=torch.float32)

    angle, scale = uniform(-math.pi, math.pi), uniform(0.8, 1.2)
    flip = torch.randint(0, 2, (count,), device=mask.device) * 2 - 1
    cos, sin = angle.cos() / scale, angle.sin() / scale
    # grid coordinates are -1 to 1 along both sides, so a rotation needs the ratio of the sides
    rotation = torch.stack(
        [flip * cos, -flip * sin * height / width, sin * width / height, cos], dim=1
    ).view(count, 2, 2)
    shift = torch.stack([uniform(-0.2, 0.2), uniform(-0.2, 0.2)], dim=1)[..., None]
    with torch.autocast(mask.device.type, enabled=False):
        where = torch.cat([rotation, -rotation @ shift], dim=2)  # to input coordinates
        grid = F.affine_grid(where, list(mask.shape), align_corners=False)
        return F.grid_sample(mask.float(), grid, mode="nearest", align_corners=False)
