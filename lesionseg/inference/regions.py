"""Post-processing of masks. Without torch."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

PostProcessing = Literal["none", "largest-region"]
"""Names of post-processing; see :func:`post_process`."""
POST_PROCESSINGS: tuple[PostProcessing, ...] = get_args(PostProcessing)


def post_process(mask: npt.NDArray[np.bool_], how: PostProcessing) -> npt.NDArray[np.bool_]:
    """Post-process a mask.

    Args:
        mask: Bool (height, width).
        how: ``"none"``, or ``"largest-region"`` for :func:`largest_region`.

    Returns:
        Bool (height, width).

    Raises:
        ValueError: If there is no such post-processing.
    """
    if how not in POST_PROCESSINGS:
        raise ValueError(
            f"expected postprocess to be one of {', '.join(POST_PROCESSINGS)}, got {how!r}"
        )
    return largest_region(mask) if how == "largest-region" else mask


def largest_region(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep the largest connected region of a mask and fill its holes.

    The ISIC challenge annotates each lesion as one contiguous region. Pixels that touch at a corner
    are connected; the background is connected through sides only.

    Args:
        mask: Bool (height, width).

    Returns:
        Bool (height, width); an empty mask stays empty. Of regions of equal size the first is kept,
        row by row.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.regions import largest_region
        >>> mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1]], bool)
        >>> largest_region(mask).astype(int)
        array([[1, 1, 1, 0, 0],
               [1, 1, 1, 0, 0],
               [1, 1, 1, 0, 0]])
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count > 1:
        mask = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    filled: npt.NDArray[np.bool_] = ndimage.binary_fill_holes(mask)
    return filled
