"""Prediction at the original size.

Names are imported when they are first used: an exported file needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lesionseg.inference.exported import ExportedPredictor
    from lesionseg.inference.loading import load_predictor
    from lesionseg.inference.metadata import ExportMetadata
    from lesionseg.inference.predictor import Predictor
    from lesionseg.inference.segmentation import ImagePredictor, Segmentation
    from lesionseg.inference.single import segment

_MODULES = {
    "ExportMetadata": "metadata",
    "ExportedPredictor": "exported",
    "ImagePredictor": "segmentation",
    "Predictor": "predictor",
    "Segmentation": "segmentation",
    "load_predictor": "loading",
    "segment": "single",
}

__all__ = [
    "ExportMetadata",
    "ExportedPredictor",
    "ImagePredictor",
    "Predictor",
    "Segmentation",
    "load_predictor",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
