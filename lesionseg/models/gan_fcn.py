"""GAN-FCN: lesion images painted under masks by a GAN join the training of a network."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

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
    """GAN-FCN: first a pix2pix GAN learns masks to images, then it feeds an FCN's training.

    In the first ``synthesis_epochs`` epochs only the GAN trains: a generator paints an image under
    each mask, a discriminator judges (image, mask), and the generator minimises the adversarial
    loss + ``l1_weight`` * L1. After them the GAN rests, and the FCN trains on every real batch and
    on images that the GAN paints under the batch's masks, moved at random so that the pairs are
    new. What is validated, tested, predicted and exported is the FCN; until it trains, its scores
    mean nothing.

    Source: Bi, Feng, Kim, "Improving Automatic Skin Lesion Segmentation using Adversarial Learning
    based Data Augmentation", 2018; Isola et al., pix2pix (CVPR 2017), for the GAN.

    Not built: the first paper's learning "at different level of complexities, in a controlled
    manner".

    Chosen: both stages in one fit; MobileGAN's discriminator, pix2pix's four 4x4 convolutions with
    attention between them, instead of another of its kind; L1 on images in [0, 1], not [-1, 1]; the
    generator steps before the discriminator; masks are moved by flips, any turn, 0.8 to 1.2 times
    the size and up to a tenth of the image sideways; no adversarial loss on masks; the FCN's
    optimizer is :class:`Segmenter`'s. Its schedule spans only the epochs in which it trains; the
    GAN's rate is constant.

    Args:
        network: The FCN, by a name that ``lesionseg models`` lists.
        network_arguments: Keyword arguments of that network.
        synthesis_epochs: First epochs, in which the GAN trains.
        synthetic_share: Synthetic images for each real one, rounded up in each batch; 0 is plain
            supervised training behind the first stage.
        l1_weight: Weight of the generator's L1.
        synthesiser_width: Feature maps of the GAN generator's first level; they double up to eight
            times as many.
        synthesiser_depth: Number of halvings in the GAN's generator, at least 2; height and width
            are multiples of 2 to its power.
        loss: The FCN's: ``"joint"``, ``"joint-positive"``, ``"dice"``, ``"jaccard"``, ``"lovasz"``
            or ``"nll-epe"``.
        optimizer: The FCN's: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: The FCN's learning rate, basic (poly, constant) or peak (one-cycle).
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: The FCN's: ``"poly"``, ``"one-cycle"`` or ``"constant"``.
        power: The power of ``"poly"``.
        generator_learning_rate: Adam's learning rate for the GAN's generator.
        discriminator_learning_rate: Adam's learning rate for the discriminator.
        betas: Adam's betas for both.
        generator_clip: Largest gradient norm of the generator; None does not clip.
        discriminator_clip: Largest gradient norm of the discriminator; None does not clip.
        segmenter_clip: Largest gradient norm of the FCN; None does not clip.
        generator_accumulation: Batches whose gradients are averaged for one generator step.
        discriminator_accumulation: Batches whose gradients are averaged for one discriminator step.
        segmenter_accumulation: Batches whose gradients are averaged for one step of the FCN.
        size: (height, width) at which images are fed; None: 192 x 256.
        threshold: A pixel is lesion where its probability exceeds this.
        compile: Compile all three networks with ``torch.compile``.
        channels_last: Keep all three networks in channels-last memory order, in which most
            convolutions run fastest.
        init_from: None, or a checkpoint whose weights a fit starts from; see
            :class:`SegmentationModule`.

    Raises:
        ValueError: An argument is out of range.
        LesionsegError: There is no such network or loss.
    """

    def __init__(
        self,
        network: str = "fcn8s",
        network_arguments: dict[str, Any] | None = None,
        synthesis_epochs: int = 20,
        synthetic_share: float = 0.5,
        l1_weight: float = 100.0,
        synthesiser_width: int = 64,
        synthesiser_depth: int = 6,
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
    ) -> None:
        check_choice("optimizer", optimizer, OptimizerName)
        if learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, got {learning_rate}")
        for name, value in (
            ("synthesis_epochs", synthesis_epochs),
            ("synthetic_share", synthetic_share),
            ("l1_weight", l1_weight),
        ):
            if value < 0:
                raise ValueError(f"{name} must not be negative, got {value}")
        if synthetic_share > 0 and synthesis_epochs == 0:
            raise ValueError(
                "synthesis_epochs=0 leaves the generator untrained; give at least 1, or "
                "synthetic_share=0"
            )
        arguments = dict(network_arguments or {})
        if init_from:  # which brings the encoder's weights as well
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
        self.save_hyperparameters()
        self.synthesiser = ImageSynthesizer(synthesiser_width, synthesiser_depth)
        self.adversarial_loss = AdversarialLoss()
        self.loss = create_loss(loss)
        self.synthesis_epochs = synthesis_epochs
        self.synthetic_share = synthetic_share
        self.l1_weight = l1_weight
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self._prepare(self.synthesiser, compile, channels_last)

    # -- the GAN -------------------------------------------------------------------------------

    @property
    def generator(self) -> nn.Module:
        """What paints images, not the network that segments."""
        return self.synthesiser

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """Images float32 (N, 3, H, W) in [0, 1] of a batch's masks."""
        image: Tensor = self.synthesiser(batch["mask"])
        return image

    @torch.no_grad()
    def synthesise(self, mask: Tensor) -> Tensor:
        """Paints a lesion image under each mask; noise is on in training mode only.

        Args:
            mask: (N, 1, H, W) in {0, 1}, any type, on the model's device.

        Returns:
            float32 (N, 3, H, W) in [0, 1], detached.

        Raises:
            ValueError: The masks are not (N, 1, H, W) or not multiples of the size needed.
        """
        image: Tensor = self.synthesiser(mask)
        return image

    def generator_terms(self, batch: dict[str, Any], made: Tensor) -> dict[str, Tensor]:
        """The adversarial term and the weighted L1."""
        verdict = self.discriminator(made, batch["mask"])
        return {
            "adversarial": self.adversarial_loss(verdict, real=True),
            "l1": self.l1_weight * F.l1_loss(made, batch["image"].float()),
        }

    def discriminator_terms(self, batch: dict[str, Any], made: Tensor) -> dict[str, Tensor]:
        """The cross-entropies of real and painted images."""
        real = self.discriminator(batch["image"], batch["mask"])
        fake = self.discriminator(made, batch["mask"])
        return {
            "real": self.adversarial_loss(real, real=True),
            "fake": self.adversarial_loss(fake, real=False),
        }

    # -- the FCN -------------------------------------------------------------------------------

    @property
    def synthesising(self) -> bool:
        """Whether the current epoch is one of the GAN's."""
        return self.current_epoch < self.synthesis_epochs

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """One step of generator and discriminator, or one of the FCN."""
        if self.synthesising:
            super().training_step(batch, batch_idx)
            return
        with self._only(SEGMENTER):
            terms = self.segmenter_terms(batch)
            loss = torch.stack(list(terms.values())).sum()
            self._step(SEGMENTER, loss, batch_idx)
        self._log_terms(SEGMENTER, terms, loss.detach(), batch)

    def segmenter_terms(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The FCN's losses of real and synthetic images, weighted by their numbers."""
        image, mask = batch["image"], batch["mask"]
        real, painted = len(image), math.ceil(self.synthetic_share * len(image))
        if not painted:
            return {"real": self.loss(self(image), mask)}
        chosen = torch.arange(painted, device=mask.device) % real
        moved = move_masks(mask[torch.randperm(real, device=mask.device)[chosen]])
        logits = self(torch.cat([image, self.synthesise(moved).to(image.dtype)]))
        total = real + painted
        return {
            "real": real / total * self.loss(logits[:real], mask),
            "synthetic": painted / total * self.loss(logits[real:], moved),
        }

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The FCN's training loss."""
        loss: Tensor = self.loss(logits, mask)
        return loss

    def further_optimizers(self) -> list[Optimizer]:
        """The FCN's."""
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
        """Adam for generator and discriminator, then the FCN's optimizer."""
        epochs = plan_fit(self.trainer, self.turns()).end_epoch
        if epochs is not None and 0 < epochs <= self.synthesis_epochs:
            rank_zero_warn(
                f"the segmenting network does not train in {epochs} epochs; give "
                f"more, or fewer synthesis_epochs than {self.synthesis_epochs}."
            )
        return super().configure_optimizers()


def move_masks(mask: Tensor) -> Tensor:
    """Flips, turns, scales and shifts each mask at random; what comes in is background.

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
    # grid coordinates run from -1 to 1 along either side, so a turn must know the sides' ratio
    turn = torch.stack(
        [flip * cos, -flip * sin * height / width, sin * width / height, cos], dim=1
    ).view(count, 2, 2)
    shift = torch.stack([uniform(-0.2, 0.2), uniform(-0.2, 0.2)], dim=1)[..., None]
    with torch.autocast(mask.device.type, enabled=False):
        where = torch.cat([turn, -turn @ shift], dim=2)  # from a pixel to where it came from
        grid = F.affine_grid(where, list(mask.shape), align_corners=False)
        return F.grid_sample(mask.float(), grid, mode="nearest", align_corners=False)
