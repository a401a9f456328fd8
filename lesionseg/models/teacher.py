"""A trained network that another learns from."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.checkpoints import read_checkpoint
from lesionseg.inference.postprocess import probabilities
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.losses.base import autocast_off, full_precision


class Teacher:
    """A frozen network whose probabilities are soft targets of another network's training.

    Not an ``nn.Module``, so that a student's state dict does not hold its weights.

    Args:
        checkpoint: Of any model of this package.
        device: Where it runs.

    Attributes:
        trained_on: Ids of the ISIC images that its weights were fitted to.

    Raises:
        CheckpointError: If the checkpoint cannot be used.

    Source: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network
    (arXiv 1503.02531), at temperature 1.
    """

    def __init__(self, checkpoint: str | Path, device: torch.device | str = "cpu") -> None:
        predictor = predictor_of_checkpoint(checkpoint, device)
        self._network = predictor.network.float().requires_grad_(False)
        self._size = predictor.size
        facts = read_checkpoint(checkpoint)["lesionseg"]
        self.trained_on: frozenset[str] = frozenset(facts.get("trained_on", ()))

    @torch.no_grad()
    def soft_masks(self, image: Tensor) -> Tensor:
        """Return the teacher's probabilities of a batch of images.

        Images of another size than the teacher's are resized to it, and the probabilities back.

        Args:
            image: Floating (N, 3, H, W) in [0, 1], on the teacher's device.

        Returns:
            float32 (N, 1, H, W) in [0, 1].
        """
        height, width = image.shape[-2:]
        image = image.float()  # whatever the student's precision
        resized = (height, width) != self._size
        soft = probabilities(self._network(_resize(image, self._size) if resized else image))
        return _resize(soft, (height, width)) if resized else soft

    def loss(self, logits: Tensor, image: Tensor) -> Tensor:
        """Return the cross-entropy of a student's logits with the soft masks of the same images.

        Args:
            logits: Floating (N, 1, H, W).
            image: Floating (N, 3, H, W) in [0, 1], as the student was fed.

        Returns:
            A scalar, the mean over all pixels; least where both probabilities are equal, where it
            is the entropy of the soft masks.
        """
        soft = self.soft_masks(image)
        with autocast_off(logits):
            logits = full_precision(logits)
            return F.binary_cross_entropy_with_logits(logits, soft.to(logits.dtype))


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", antialias=True).clamp(0, 1)
