"""Report of runs as one HTML file: settings, curves, scores, images and comparisons.

Names are imported when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
