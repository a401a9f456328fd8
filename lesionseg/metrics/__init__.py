"""The official ISIC score as functions, as torchmetrics classes and as a per-image table.

Names are imported when they are first used: ``lesionseg.metrics.official`` and the per-image table
need numpy only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
