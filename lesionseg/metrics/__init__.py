"""The official ISIC score as functions, as torchmetrics classes and as a per-image table.

Names are imported when first used, so that ``lesionseg.metrics.official`` and the per-image table
need numpy only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
