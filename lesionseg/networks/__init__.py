"""Segmentation networks as plain `torch.nn.Module`, and their registry.

A network takes images in [0, 1] and returns logits. Names are imported when they are first used.
"""

import lazy_loader

from lesionseg._moved import renamed

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = renamed(__name__, {"ImageSynthesiser": "ImageSynthesizer"}, _load)
