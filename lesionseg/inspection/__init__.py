"""Summarize a data set: counts, sizes, copies, leaks between years and splits, broken files.

Names are imported when they are first used: only contact sheets need torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
