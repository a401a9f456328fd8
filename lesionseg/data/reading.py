"""Files to pixels: images and masks at their own size. Without torch, for exported networks."""

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.errors import DatasetNotFoundError, InvalidDataError

THRESHOLD = 128
"""Mask pixels above this grey value are lesion, as in the official scorer."""

# What Pillow raises for broken files; SyntaxError, struct and zlib errors come from damaged PNGs.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return ``size`` as a tuple of two positive integers, (height, width).

    Raises:
        ValueError: if it is anything else.
    """
    if len(size) != 2 or any(int(side) != side or side < 1 for side in size):
        raise ValueError(
            f"size must be (height, width) in whole pixels, such as (192, 256): {size}"
        )
    return int(size[0]), int(size[1])


class Decoded(NamedTuple):
    """A decoded file.

    Attributes:
        image: of any mode, perhaps at a fraction of its size.
        original: height and width in the file's header.
        box: what of the image is picture, in its pixels, if it is at a fraction of its size.
    """

    image: Image.Image
    original: tuple[int, int]
    box: tuple[float, float, float, float] | None


def decode(path: Path, kind: str, at_least: tuple[int, int] | None = None) -> Decoded:
    """Open and decode a file wholly, or say why not in one sentence.

    Args:
        path: of the file.
        kind: what it should be, for messages.
        at_least: height and width; a JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 that
            gives them. None decodes all of it.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if it is empty, truncated, too large or not an image.
    """
    try:
        if path.stat().st_size == 0:
            raise InvalidDataError(
                f"The {kind} {path} is empty (0 bytes); copy or download it again."
            )
        image: Image.Image
        with Image.open(path) as image:
            original = image.height, image.width
            # Other formats know no draft and give None.
            draft = image.draft("RGB", (at_least[1], at_least[0])) if at_least else None
            image.load()
        return Decoded(
            image, original, draft[1] if draft and image.size != original[::-1] else None
        )
    except InvalidDataError:
        raise
    except FileNotFoundError:
        raise DatasetNotFoundError(f"The {kind} {path} does not exist; check the path.") from None
    except Image.DecompressionBombError as error:
        raise InvalidDataError(
            f"The {kind} {path} has too many pixels to open safely ({error}); make it smaller."
        ) from error
    except _BROKEN as error:
        raise InvalidDataError(
            f"The {kind} {path} is truncated or not an image ({error}); copy or download it again."
        ) from error


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as 8-bit RGB at its original size.

    Transparency is dropped. EXIF orientation is not applied: masks are drawn on the stored pixels.

    Args:
        path: file in any format that Pillow reads.

    Returns:
        The decoded image, mode ``RGB``.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if the file is empty, truncated or not an image.
    """
    image = decode(Path(path), "image").image
    return image if image.mode == "RGB" else image.convert("RGB")


def read_mask(path: str | Path, size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """Read a mask file as grey values at its original size.

    Args:
        path: grey, 1-bit, palette or RGB file; lesion is white.
        size: height and width that the mask must have, those of its image.

    Returns:
        uint8 (h, w), 0..255, not binarised: lesion is what lies above 128.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if the file cannot be read, has another size than ``size``, or holds the
            values 0 and 1 only.
    """
    path = Path(path)
    mask = decode(path, "mask").image
    if mask.mode.startswith("I;16"):
        grey = (np.asarray(mask) // 257).astype(np.uint8)
    elif mask.mode in ("I", "F"):
        raise InvalidDataError(
            f"The mask {path} has 32-bit pixels; save it as 8-bit, 0 for skin and 255 for lesion."
        )
    else:
        grey = np.array(mask if mask.mode == "L" else mask.convert("L"), dtype=np.uint8)
    if grey.max(initial=0) == 1:
        raise InvalidDataError(
            f"The mask {path} holds only 0 and 1, and lesion is what lies above {THRESHOLD}; "
            "multiply it by 255."
        )
    if size is not None and grey.shape != tuple(size):
        raise InvalidDataError(
            f"The mask {path} is {grey.shape[1]} x {grey.shape[0]} pixels (width x height), but "
            f"its image is {size[1]} x {size[0]}; every mask needs the size of its image."
        )
    return grey
