"""What is in image data: counts, sizes, copies, ids that years share, broken files.

Names are imported when they are first used: only contact sheets need torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
