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
    """A single score; ``compute()`` returns it as a 0-d float64 tensor in [0, 1]."""

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
    r"""Share of correct pixels.

    $$
    \frac{\mathrm{TP} + \mathrm{TN}}{\mathrm{TP} + \mathrm{FP} + \mathrm{FN} + \mathrm{TN}}
    $$

    Example:
        >>> import torch
        >>> from lesionseg.metrics import Accuracy
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> Accuracy()(prediction, truth)
        tensor(0.7500, dtype=torch.float64)
    """

    name = "accuracy"


class Sensitivity(_Score):
    r"""Share of the lesion that was found; 1 where the truth is empty.

    $$
    \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FN}}
    $$

    Example:
        >>> import torch
        >>> from lesionseg.metrics import Sensitivity
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> Sensitivity()(prediction, truth)
        tensor(0.7500, dtype=torch.float64)
    """

    name = "sensitivity"


class Specificity(_Score):
    r"""Share of the skin that was left out; 1 where the truth is full.

    $$
    \frac{\mathrm{TN}}{\mathrm{TN} + \mathrm{FP}}
    $$

    Example:
        >>> import torch
        >>> from lesionseg.metrics import Specificity
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> Specificity()(prediction, truth)
        tensor(0.7500, dtype=torch.float64)
    """

    name = "specificity"


class Jaccard(_Score):
    r"""Intersection over union; 1 where both masks are empty.

    $$
    \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FP} + \mathrm{FN}}
    $$

    torchmetrics' ``BinaryJaccardIndex`` is another score: it pools the pixels of all images and
    is 0 where both masks are empty.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import Jaccard
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> Jaccard()(prediction, truth)
        tensor(0.6667, dtype=torch.float64)
        >>> Jaccard(aggregation="pooled")(prediction, truth)
        tensor(0.3333, dtype=torch.float64)
    """

    name = "jaccard"


class Dice(_Score):
    r"""Dice coefficient; 1 where both masks are empty.

    $$
    \frac{2 \, \mathrm{TP}}{2 \, \mathrm{TP} + \mathrm{FP} + \mathrm{FN}}
    $$

    Example:
        >>> import torch
        >>> from lesionseg.metrics import Dice
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> Dice()(prediction, truth)
        tensor(0.7500, dtype=torch.float64)
    """

    name = "dice"


class ThresholdedJaccard(_Score):
    """Jaccard index that counts as 0 below a threshold, the ranking score of ISIC 2018.

    Args:
        threshold: Jaccard index in [0, 1] below which a score is 0; the official one is 0.65.
        aggregation: ``"image"`` for the official mean over images, ``"pooled"`` for one score of
            all pixels together.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import ThresholdedJaccard
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> ThresholdedJaccard()(prediction, truth)
        tensor(0.5000, dtype=torch.float64)
    """

    name = "threshold_jaccard"

    def __init__(
        self,
        threshold: float = JACCARD_THRESHOLD,
        aggregation: Aggregation = "image",
        **kwargs: Any,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"expected threshold to be in [0, 1], got {threshold}")
        super().__init__(aggregation=aggregation, **kwargs)
        self.threshold = threshold


class ISICScore(PerImageMetric):
    """All six official scores from a single pass over the masks.

    ``compute()`` returns a dict, ``table()`` the per-image values behind it. The mean over images
    equals the result of ``isic-challenge-scoring``.

    Args:
        aggregation: ``"image"`` for the official mean over images, ``"pooled"`` for one score of
            all pixels together.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If ``aggregation`` is neither.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import ISICScore
        >>> score = ISICScore()
        >>> prediction = torch.tensor([[[0.9, 0.2, 0.1, 0.7]], [[0.1, 0.3, 0.2, 0.4]]])
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
        >>> score.update(prediction, truth, ids=["ISIC_0000001", "ISIC_0000002"])
        >>> score.compute()["threshold_jaccard"]
        tensor(0.5000, dtype=torch.float64)
        >>> score.table().worst(1)
        ['ISIC_0000001']
    """

    def compute(self) -> dict[str, Tensor]:
        """Return the six scores of all images so far under their official names.

        Each is a 0-d float64 tensor in [0, 1].

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        summary = self._table().summary(self.aggregation)
        return {name: self._scalar(summary[name]) for name in SCORE_NAMES}
