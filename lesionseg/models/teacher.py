"""Distillation from a trained network."""

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
    """Frozen network whose probabilities are soft targets in the training of another.

    It is not an ``nn.Module``, so that its weights are not in the state dict of the student.

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network",
    arXiv 1503.02531, with temperature 1.

    Args:
        checkpoint: Checkpoint of any model of this package.
        device: Device of the network.

    Attributes:
        trained_on: Ids of the ISIC images that its weights were fitted to.

    Raises:
        CheckpointError: If the checkpoint cannot be used.

    Example:
        >>> import torch
        >>> from lesionseg.models.teacher import Teacher
        >>> Teacher("mobilegan").soft_masks(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 1, 32, 32])
    """

    def __init__(self, checkpoint: str | Path, device: torch.device | str = "cpu") -> None:
        predictor = predictor_of_checkpoint(checkpoint, device)
        self._network = predictor.network.float().requires_grad_(False)
        self._size = predictor.size
        facts = read_checkpoint(checkpoint)["lesionseg"]
        self.trained_on: frozenset[str] = frozenset(facts.get("trained_on", ()))

    @torch.no_grad()
    def soft_masks(self, image: Tensor) -> Tensor:
        """Return the teacher's probabilities for a batch of images.

        Images of another size are resized to the teacher's, and the probabilities back.

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
        """Return the cross-entropy of a student's logits and the soft masks of the same images.

        Args:
            logits: Floating (N, 1, H, W).
            image: Floating (N, 3, H, W) in [0, 1], the input of the student.

        Returns:
            A scalar, the mean over all pixels. Its minimum, for equal probabilities, is the entropy
            of the soft masks.
        """
        soft = self.soft_masks(image)
        with autocast_off(logits):
            logits = full_precision(logits)
            return F.binary_cross_entropy_with_logits(logits, soft.to(logits.dtype))


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", antialias=True).clamp(0, 1)
