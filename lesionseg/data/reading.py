"""Files to pixels: images, masks, and their resize to the network's size."""

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

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


class _Decoded(NamedTuple):
    image: Image.Image
    original: tuple[int, int]
    """Height and width in the file's header."""
    box: tuple[float, float, float, float] | None
    """What of the image is picture, in its pixels, if it was decoded at a fraction of its size."""


def _open(path: Path, kind: str, at_least: tuple[int, int] | None = None) -> _Decoded:
    """Open and decode a file wholly, or say why not in one sentence.

    A JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 that gives ``at_least``, if that is
    given: height and width.
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
        return _Decoded(
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
    image = _open(Path(path), "image").image
    return image if image.mode == "RGB" else image.convert("RGB")


def read_resized(path: str | Path, size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    """Read an image file at the network's size, without decoding more of a big JPEG than needed.

    libjpeg decodes at 1/2, 1/4 or 1/8 by leaving out cosines ("draft" in Pillow), at a fraction of
    the time. Chosen: the smallest of these that is at least twice the asked height and width, then
    the antialiased bilinear resize. On full-size ISIC 2016 images each differs from the full decode
    by less than one grey level on average; without the margin of two some differ by nearly two.
    Other images, and JPEGs less than four times as large, are what :func:`read_image` and
    :func:`resize_image` give, bit for bit.

    Args:
        path: file in any format that Pillow reads.
        size: height and width of the result.

    Returns:
        uint8 tensor (3, height, width), and the file's own height and width.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if the file is empty, truncated or not an image.
    """
    height, width = size
    image, original, box = _open(Path(path), "image", at_least=(2 * height, 2 * width))
    if image.mode != "RGB":
        image = image.convert("RGB")
    if box is not None:
        # 1022 columns are 127.75 at 1/8, in 128 pixels: the box keeps the last from counting whole.
        image = image.resize((width, height), Image.Resampling.BILINEAR, box)
    return resize_image(image, size), original


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
    mask = _open(path, "mask").image
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


def resize_image(
    image: Image.Image | npt.NDArray[np.uint8] | Tensor, size: tuple[int, int]
) -> Tensor:
    """Resize an 8-bit RGB image bilinearly, with antialiasing.

    Args:
        image: RGB image, uint8 array (h, w, 3), or uint8 tensor (3, h, w).
        size: height and width of the result.

    Returns:
        uint8 tensor (3, height, width).
    """
    if not isinstance(image, Tensor):
        image = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)
    if image.shape[-2:] != torch.Size(size):
        image = interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return image.contiguous()


def resize_mask(mask: npt.NDArray[np.uint8] | Tensor, size: tuple[int, int]) -> Tensor:
    """Binarise a grey mask at > 128, resize it, and binarise again at one half.

    The antialiased bilinear resize of the binary mask is the share of lesion in each new pixel, so
    a new pixel is lesion when at least half of it is.

    Args:
        mask: uint8 (h, w), grey values 0..255.
        size: height and width of the result.

    Returns:
        float32 (1, height, width) in {0, 1}.
    """
    # numpy compares and converts six megapixels faster than torch does
    lesion = np.greater(torch.as_tensor(mask).numpy(force=True), THRESHOLD)
    binary = torch.from_numpy(lesion.astype(np.float32))[None]
    if binary.shape[-2:] != torch.Size(size):
        resized = interpolate(binary[None], size, mode="bilinear", antialias=True)[0]
        binary = (resized >= 0.5).float()
    return binary
