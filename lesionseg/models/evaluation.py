"""Validation, test and prediction of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lesionseg.errors import shorten
from lesionseg.guards import check_batch
from lesionseg.inference.postprocess import (
    binarize,
    check_finite,
    finish_mask,
    probabilities,
    restore_sizes,
)
from lesionseg.inference.regions import PostProcessing
from lesionseg.inference.tta import TestTimeAugmentation, pool_views
from lesionseg.metrics import ISICScore
from lesionseg.metrics.table import ScoreTable
from lesionseg.models.finite import check_terms
from lesionseg.models.leakage import loaded_ids, refuse_trained


@dataclass  # not frozen: Trainer.predict moves the tensors in it
class Prediction:
    """Prediction for an image, at the image's original size.

    Attributes:
        id: Id of the image.
        probability: float32 (height, width) in [0, 1].
        mask: Bool (height, width), the probability above the model's threshold.
        uncertainty: float32 (height, width), the standard deviation of the probability over all
            Monte-Carlo samples and views of test-time augmentation; None if there is only one.

    Example:
        >>> import torch
        >>> import lesionseg
        >>> model = lesionseg.from_pretrained("mobilegan")
        >>> batch = {"image": torch.rand(1, 3, 128, 128), "id": ["ISIC_1"], "size": [(300, 400)]}
        >>> with torch.inference_mode():
        ...     (prediction,) = model.predict_step(batch)
        >>> prediction.id, tuple(prediction.mask.shape), prediction.uncertainty
        ('ISIC_1', (300, 400), None)
    """

    id: str
    probability: Tensor
    mask: Tensor
    uncertainty: Tensor | None = None


class EvaluatedModule(LightningModule, ABC):
    """The steps of validation, test and prediction; base of :class:`SegmentationModule`."""

    threshold: float
    trained_on: frozenset[str]
    test_time_augmentation: TestTimeAugmentation
    postprocess: PostProcessing

    def __init__(self) -> None:
        super().__init__()
        self.validation_score = ISICScore()
        self.test_score = ISICScore()
        self.test_table: ScoreTable | None = None

    @abstractmethod
    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the loss that is logged as ``val/loss``.

        Args:
            logits: Floating (N, 1, H, W).
            mask: float32 (N, 1, H, W) in {0, 1}.

        Returns:
            A scalar.
        """

    def predict_maps(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return probability and, if the model has one, uncertainty; both float32 (N, 1, H, W)."""
        return probabilities(self(image)), None

    def _averaged_maps(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Average :meth:`predict_maps` over the views of ``test_time_augmentation``."""
        return pool_views(self.predict_maps, image, self.test_time_augmentation)

    def _finish(self, probability: Tensor) -> Tensor:
        """Return the mask of an image at its original size."""
        return finish_mask(probability, self.threshold, self.postprocess)

    def on_validation_start(self) -> None:
        """Share the batch statistics of the first process."""
        self._share_buffers()

    def on_test_start(self) -> None:
        """Refuse images that were trained on, and share the batch statistics of the first process.

        Raises:
            LesionsegError: If test images are in ``trained_on``.
        """
        data = getattr(self.trainer, "datamodule", None)
        allow = getattr(data, "allow_trained_images", False)
        refuse_trained(self.trained_on, loaded_ids(self.trainer.test_dataloaders), allow)
        self._share_buffers()

    def on_predict_start(self) -> None:
        """Share the batch statistics of the first process."""
        self._share_buffers()

    def _share_buffers(self) -> None:
        """Give all processes the buffers of the first, whose checkpoint is saved.

        DistributedDataParallel does so at each forward pass, but not with manual optimization,
        where validation would mix the networks of all processes.
        """
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Score a batch at the network's size."""
        check_batch(type(self).__name__, batch, "image", "mask", "id")
        logits = self(batch["image"])
        loss = self.validation_loss(logits, batch["mask"])
        check_terms(self, {"val/loss": loss})
        self.log("val/loss", loss, batch_size=len(logits), sync_dist=True)
        self.validation_score.update(
            binarize(probabilities(logits), self.threshold), batch["mask"].bool(), batch["id"]
        )

    def on_validation_epoch_end(self) -> None:
        """Log the six official scores of the validation images."""
        scores = {
            f"val/{name}": value.float() for name, value in self.validation_score.compute().items()
        }
        self.log_dict(scores, sync_dist=True)
        self.log("val_jaccard", scores["val/jaccard"], prog_bar=True, logger=False, sync_dist=True)
        self.validation_score.reset()

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Any]:
        """Score a batch at the original size against the original masks.

        Returns:
            For callbacks: ``id``, the ids of the images, and for each its ``mask``, bool (height,
            width), its ``probability``, float32 (height, width), and its ``truth``.
        """
        check_batch(type(self).__name__, batch, "image", "id")
        maps, _ = self._averaged_maps(batch["image"])
        check_finite(maps, shorten(batch["id"]))
        truth = batch.get("truth")
        if truth is None:  # of a data set without original masks
            truth = list(batch["mask"][:, 0].bool())
        restored = restore_sizes(maps, [tuple(mask.shape[-2:]) for mask in truth])
        masks = [self._finish(probability) for probability in restored]
        self.test_score.update(masks, truth, batch["id"])
        return {"id": batch["id"], "mask": masks, "probability": restored, "truth": truth}

    def on_test_epoch_end(self) -> None:
        """Log the six official scores, and keep the scores of each image as ``test_table``."""
        scores = {
            f"test/{name}": value.float() for name, value in self.test_score.compute().items()
        }
        self.log_dict(scores, sync_dist=True)
        self.test_table = self.test_score.table()
        self.test_score.reset()

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> list[Prediction]:
        """Return masks and probabilities of a batch, each at the original size of its image."""
        check_batch(type(self).__name__, batch, "image", "id", "size")
        maps, uncertainty = self._averaged_maps(batch["image"])
        check_finite(maps, shorten(batch["id"]))
        probability = restore_sizes(maps, batch["size"])
        spread: list[Tensor] | list[None] = [None] * len(probability)
        if uncertainty is not None:
            spread = restore_sizes(uncertainty, batch["size"])
        return [
            Prediction(id=id_, probability=p, mask=self._finish(p), uncertainty=u)
            for id_, p, u in zip(batch["id"], probability, spread, strict=True)
        ]
