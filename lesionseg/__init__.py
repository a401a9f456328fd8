"""Skin lesion segmentation in dermoscopy images: ASNet, MobileGAN and the official ISIC score.

Names are imported when first used, so that ``import lesionseg`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lesionseg._version import __version__

if TYPE_CHECKING:
    from lesionseg.data import FolderDataModule, ISICDataModule, SyntheticDataModule
    from lesionseg.inference import segment
    from lesionseg.models import GANFCN, ASNet, MobileGAN, SegAN, Segmenter

_HOMES = {
    "ASNet": "lesionseg.models",
    "GANFCN": "lesionseg.models",
    "MobileGAN": "lesionseg.models",
    "SegAN": "lesionseg.models",
    "Segmenter": "lesionseg.models",
    "FolderDataModule": "lesionseg.data",
    "ISICDataModule": "lesionseg.data",
    "SyntheticDataModule": "lesionseg.data",
    "segment": "lesionseg.inference",
}

__all__ = [
    "GANFCN",
    "ASNet",
    "FolderDataModule",
    "ISICDataModule",
    "MobileGAN",
    "SegAN",
    "Segmenter",
    "SyntheticDataModule",
    "__version__",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
