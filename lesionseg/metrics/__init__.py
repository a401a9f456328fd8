"""The official ISIC score as functions, as torchmetrics classes and as a per-image table.

Names are imported when first used, so that ``lesionseg.metrics.official`` and the per-image table
need numpy only.
"""

from typing import TYPE_CHECKING

from lesionseg.lazy import lazy_names

if TYPE_CHECKING:
    from lesionseg.metrics.official import (
        SCORE_NAMES,
        confusion_counts,
        pooled_scores,
        scores_from_counts,
    )
    from lesionseg.metrics.per_image import PerImageMetric
    from lesionseg.metrics.scores import (
        Accuracy,
        Dice,
        ISICScore,
        Jaccard,
        Sensitivity,
        Specificity,
        ThresholdedJaccard,
    )
    from lesionseg.metrics.table import ScoreTable

_HOME = {
    "SCORE_NAMES": "official",
    "confusion_counts": "official",
    "pooled_scores": "official",
    "scores_from_counts": "official",
    "ScoreTable": "table",
    "PerImageMetric": "per_image",
    "Accuracy": "scores",
    "Dice": "scores",
    "ISICScore": "scores",
    "Jaccard": "scores",
    "Sensitivity": "scores",
    "Specificity": "scores",
    "ThresholdedJaccard": "scores",
}

__all__ = [
    "SCORE_NAMES",
    "Accuracy",
    "Dice",
    "ISICScore",
    "Jaccard",
    "PerImageMetric",
    "ScoreTable",
    "Sensitivity",
    "Specificity",
    "ThresholdedJaccard",
    "confusion_counts",
    "pooled_scores",
    "scores_from_counts",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
