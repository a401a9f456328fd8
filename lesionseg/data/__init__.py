"""Data sets, splits, augmentation and DataModules.

Names are imported when they are first used: splits need neither torch nor Lightning.
"""

import lazy_loader

from lesionseg._moved import renamed

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = renamed(
    __name__, {"Recipe": "InputDefaults", "shades_of_grey": "shades_of_gray"}, _load
)
