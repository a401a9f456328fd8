"""Post-processing of masks: one lesion without holes, as the challenge defines it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def largest_region(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep the largest connected region of a mask and fill its holes.

    The ISIC challenge annotates one lesion per image as one contiguous region. Pixels that touch
    at a corner are connected; a hole is background that no path through sides leads out of.

    Args:
        mask: Bool (height, width).

    Returns:
        Bool (height, width); an empty mask stays empty. Of regions of equal size the one that
        comes first, row by row, is kept.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.regions import largest_region
        >>> mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1]], bool)
        >>> largest_region(mask).astype(int)
        array([[1, 1, 1, 0, 0],
               [1, 1, 1, 0, 0],
               [1, 1, 1, 0, 0]])
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count > 1:
        mask = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    filled: npt.NDArray[np.bool_] = ndimage.binary_fill_holes(mask)
    return filled
