"""Prediction at the original size.

Names are imported when they are first used: an exported file needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
