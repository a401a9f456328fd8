"""What a network says of one photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Segmentation:
    """What a network says of one image, at the image's size.

    Attributes:
        mask: bool (height, width).
        probability: float32 (height, width) in [0, 1].
    """

    mask: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float32]


class ImagePredictor(Protocol):
    """A network that takes whole photographs, whatever runs it."""

    def __call__(self, image: Image.Image) -> Segmentation:
        """Segment one RGB image of any size."""
