"""Data sets, splits, augmentation and DataModules.

Names are imported when they are first used: splits need neither torch nor Lightning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
