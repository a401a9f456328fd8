"""Prediction at the original size.

Names are imported when first used, so that ``lesionseg segment --help`` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lesionseg.inference.predictor import Predictor, Segmentation, load_predictor
    from lesionseg.inference.single import segment

_MODULES = {
    "Predictor": "predictor",
    "Segmentation": "predictor",
    "load_predictor": "predictor",
    "segment": "single",
}

__all__ = ["Predictor", "Segmentation", "load_predictor", "segment"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
