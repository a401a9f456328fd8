"""The official scores as torchmetrics classes."""

from typing import Any, ClassVar

from torch import Tensor

from lesionseg.metrics.official import (
    JACCARD_THRESHOLD,
    SCORE_NAMES,
    Aggregation,
    pooled_scores,
    scores_from_counts,
)
from lesionseg.metrics.per_image import PerImageMetric


class _Score(PerImageMetric):
    """One of the six scores; ``compute()`` gives it as a 0-d float64 tensor in [0, 1]."""

    name: ClassVar[str]
    threshold: float = JACCARD_THRESHOLD

    def compute(self) -> Tensor:
        """Return the score of all images so far, a 0-d float64 tensor in [0, 1].

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        counts = self._table().counts
        if self.aggregation == "pooled":
            return self._scalar(pooled_scores(counts, self.threshold)[self.name])
        return self._scalar(float(scores_from_counts(counts, self.threshold)[self.name].mean()))


class Accuracy(_Score):
    """Share of pixels that are right, (TP + TN) / all."""

    name = "accuracy"


class Sensitivity(_Score):
    """Share of the lesion that was found, TP / (TP + FN); 1 where the truth is empty."""

    name = "sensitivity"


class Specificity(_Score):
    """Share of the skin that was left out, TN / (TN + FP); 1 where the truth is full."""

    name = "specificity"


class Jaccard(_Score):
    """Intersection over union, TP / (TP + FP + FN); 1 where both masks are empty.

    torchmetrics' ``BinaryJaccardIndex`` is another score: it pools the pixels of all images and
    gives 0 where both masks are empty.
    """

    name = "jaccard"


class Dice(_Score):
    """Dice coefficient, 2 TP / (2 TP + FP + FN); 1 where both masks are empty."""

    name = "dice"


class ThresholdedJaccard(_Score):
    """Jaccard index that counts as 0 below a threshold, the ranking score of ISIC 2018.

    Args:
        threshold: Jaccard index in [0, 1]; exactly this passes. 0.65 is official.
        aggregation: ``"image"`` for the official mean over images, ``"pooled"`` for one score of
            all pixels together.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.
    """

    name = "threshold_jaccard"

    def __init__(
        self,
        threshold: float = JACCARD_THRESHOLD,
        aggregation: Aggregation = "image",
        **kwargs: Any,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}; take a Jaccard index from 0 to 1")
        super().__init__(aggregation=aggregation, **kwargs)
        self.threshold = threshold


class ISICScore(PerImageMetric):
    """All six official scores at once, from one pass over the masks.

    ``compute()`` gives a dict, ``table()`` the per-image values behind it. The per-image mean
    equals ``isic-challenge-scoring``.
    """

    def compute(self) -> dict[str, Tensor]:
        """Return the six scores of all images so far under their official names.

        Each is a 0-d float64 tensor in [0, 1].

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        summary = self._table().summary(self.aggregation)
        return {name: self._scalar(summary[name]) for name in SCORE_NAMES}
