"""Read images and masks from NumPy's ``.npy`` files."""

from pathlib import Path

import numpy as np
from PIL import Image

from lesionseg.errors import InvalidDataError

MAGIC = b"\x93NUMPY"
"""First bytes of a ``.npy`` file."""


def read_array(path: Path, kind: str) -> Image.Image:
    """Read a NumPy array as an image; no pickled objects are loaded.

    Booleans become 0 and 255, floats from 0 to 1 are multiplied by 255, and other values must be
    whole numbers from 0 to 255, or uint16.

    Args:
        path: ``.npy`` file with an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or with the
            channels first.
        kind: ``image`` or ``mask``, for messages.

    Returns:
        A gray, 16-bit gray, RGB or RGBA image.

    Raises:
        InvalidDataError: If the array has another shape, type or range, or too many pixels.
        ValueError: If the file is damaged or holds pickled objects.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "mask.npy")
        ...     np.save(path, np.array([[False, True]]))
        ...     np.asarray(read_array(path, "mask"))
        array([[  0, 255]], dtype=uint8)
    """
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    shape = array.shape
    if array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InvalidDataError(
            f"The {kind} {path} is an array of shape {shape}; expected (height, width), with 1, 3 "
            "or 4 channels last or first."
        )
    height, width = array.shape[:2]
    if not height * width:
        raise InvalidDataError(f"The {kind} {path} is an array without pixels; write it again.")
    if Image.MAX_IMAGE_PIXELS and height * width > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError
    if array.dtype == np.bool_:
        return Image.fromarray(np.asarray(array, dtype=np.uint8) * np.uint8(255))
    if array.dtype == np.uint16 and array.ndim == 2:
        return Image.fromarray(np.ascontiguousarray(array))
    if array.dtype.kind not in "uif":
        raise InvalidDataError(f"The {kind} {path} is an array of {array.dtype}; save it as uint8.")
    low, high = array.min(), array.max()
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        array = np.rint(np.asarray(array, dtype=np.float32) * 255)
    elif not (low >= 0 and high <= 255) or (array.dtype.kind == "f" and (array % 1).any()):
        raise InvalidDataError(
            f"The {kind} {path} is an array of {array.dtype} from {low:g} to {high:g}; expected "
            "whole numbers from 0 to 255, or floats from 0 to 1."
        )
    return Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8))
