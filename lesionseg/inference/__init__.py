"""Prediction at the original size.

Names are imported when they are first used: an exported file needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionseg.lazy import lazy_names

if TYPE_CHECKING:
    from lesionseg.inference.exported import ExportedPredictor
    from lesionseg.inference.loading import load_predictor
    from lesionseg.inference.metadata import ExportMetadata
    from lesionseg.inference.predictor import Predictor
    from lesionseg.inference.segmentation import ImagePredictor, Segmentation
    from lesionseg.inference.single import segment
    from lesionseg.inference.views import TEST_TIME_AUGMENTATIONS, average_views

_MODULES = {
    "ExportMetadata": "metadata",
    "ExportedPredictor": "exported",
    "ImagePredictor": "segmentation",
    "Predictor": "predictor",
    "Segmentation": "segmentation",
    "TEST_TIME_AUGMENTATIONS": "views",
    "average_views": "views",
    "load_predictor": "loading",
    "segment": "single",
}

__all__ = [
    "TEST_TIME_AUGMENTATIONS",
    "ExportMetadata",
    "ExportedPredictor",
    "ImagePredictor",
    "Predictor",
    "Segmentation",
    "average_views",
    "load_predictor",
    "segment",
]

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
