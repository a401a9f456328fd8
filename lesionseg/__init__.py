"""Skin lesion segmentation in dermoscopy images: ASNet, MobileGAN and the official ISIC score.

Names are imported when first used, so that ``import lesionseg`` is light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionseg._version import __version__
from lesionseg.lazy import lazy_names

if TYPE_CHECKING:
    from lesionseg.data import FolderDataModule, ISICDataModule, SyntheticDataModule
    from lesionseg.inference import segment
    from lesionseg.models import GANFCN, ASNet, MobileGAN, SegAN, Segmenter
    from lesionseg.models.pretrained import from_pretrained
    from lesionseg.pretrained import list_pretrained

_HOMES = {
    "ASNet": "models",
    "GANFCN": "models",
    "MobileGAN": "models",
    "SegAN": "models",
    "Segmenter": "models",
    "FolderDataModule": "data",
    "ISICDataModule": "data",
    "SyntheticDataModule": "data",
    "from_pretrained": "models.pretrained",
    "list_pretrained": "pretrained",
    "segment": "inference",
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
    "from_pretrained",
    "list_pretrained",
    "segment",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
