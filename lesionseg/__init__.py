"""Skin lesion segmentation in dermoscopy images: ASNet, MobileGAN and the official ISIC score.

Names are imported when they are first used, so that ``import lesionseg`` is light.
"""

import lazy_loader

from lesionseg import _moved

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_moved.install()
