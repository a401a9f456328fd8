"""The segmentation of a photograph, and what makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Segmentation:
    """Segmentation of an image, at the image's size.

    Attributes:
        mask: Bool (height, width), True for lesion.
        probability: float32 (height, width) in [0, 1].

    Example:
        >>> from PIL import Image
        >>> import lesionseg
        >>> result = lesionseg.segment(Image.new("RGB", (60, 40), "white"), "mobilegan")
        >>> result.mask.shape, result.mask.dtype, result.probability.dtype
        ((40, 60), dtype('bool'), dtype('float32'))
    """

    mask: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float32]


class ImagePredictor(Protocol):
    """Anything that segments photographs, such as a :class:`Predictor`.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> import lesionseg
        >>> from lesionseg.inference import Segmentation
        >>> def dark(image):
        ...     probability = 1 - np.asarray(image.convert("L"), np.float32) / 255
        ...     return Segmentation(probability > 0.5, probability)
        >>> lesionseg.segment(Image.new("RGB", (60, 40), "black"), dark).mask.all()
        np.True_
    """

    def __call__(self, image: Image.Image) -> Segmentation:
        """Segment an RGB image of any size."""
