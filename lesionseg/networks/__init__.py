"""Whole networks, pure `torch.nn.Module`: image in [0, 1] in, logits out; and their registry.

The classes are imported when first asked for, so that listing the names costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
