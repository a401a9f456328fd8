"""Segmentation of photographs at their original size.

Names are imported when they are first used, so that an exported file needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
