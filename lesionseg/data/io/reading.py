"""Files to pixels: images and masks at their own size. Without torch, for exported networks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.data.io.decoding import MOST_PIXELS, Decoded, decode, read_orientation, turn
from lesionseg.data.io.mask_values import OFFICIAL, MaskRule, decide_lazily, values_of
from lesionseg.data.io.pixel_modes import to_grey, to_rgb
from lesionseg.errors import InvalidDataError

__all__ = [
    "MOST_PIXELS",
    "Decoded",
    "check_size",
    "decode",
    "find_rule",
    "read_grey",
    "read_image",
    "read_mask",
    "rgb_of",
]


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


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as 8-bit RGB, of the size and orientation that an image viewer shows.

    EXIF orientation is applied (Pillow also finds it in XMP), transparency is laid on white, 16
    bits are scaled to 8, and colour profiles are ignored; of several pictures the first is read.
    See :func:`lesionseg.data.io.pixel_modes.to_rgb` for what is chosen for every mode.

    Args:
        path: regular file of a raster format (:data:`lesionseg.data.io.decoding.RASTER_FORMATS`),
            of 200 million pixels at most.

    Returns:
        The decoded image, mode ``RGB``.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if the file is empty, truncated, too large or not an image.
    """
    path = Path(path)
    return rgb_of(path, decode(path, "image").upright())


def rgb_of(path: Path, image: Image.Image) -> Image.Image:
    """What was decoded from a file, as 8-bit RGB.

    Raises:
        InvalidDataError: if its pixels are of a kind that cannot be converted.
    """
    try:
        return to_rgb(image)
    except ValueError as error:
        raise InvalidDataError(f"The image {path} cannot be used: {error}.") from error


def resize_decoded(path: Path, decoded: Decoded, size: tuple[int, int]) -> Image.Image:
    """Resize what was decoded, perhaps at a fraction of its size, and turn it upright.

    Args:
        path: Of the file, for messages.
        decoded: What :func:`~lesionseg.data.io.decoding.decode` returned.
        size: Height and width of the result.

    Returns:
        8-bit RGB.

    Raises:
        InvalidDataError: If its pixels are of a kind that cannot be converted.
    """
    stored = size if decoded.sideways else size[::-1]
    # 1022 columns are 127.75 at 1/8, in 128 pixels: the box keeps the last from counting whole.
    image = rgb_of(path, decoded.image).resize(stored, Image.Resampling.BILINEAR, decoded.box)
    return turn(image, decoded.orientation)


def read_thumbnail(path: Path, longest: int) -> tuple[Image.Image, tuple[int, int]]:
    """Read an image at a small size; a large JPEG is decoded at a fraction of its size.

    Args:
        path: Of the file.
        longest: Longer side of the result, in pixels.

    Returns:
        8-bit RGB of the image's aspect ratio, and the height and width of the image itself, both
        after EXIF orientation.

    Raises:
        LesionsegError: If the file cannot be read.
    """
    decoded = decode(path, "image", at_least=(longest, longest))
    scale = longest / max(decoded.original)
    height, width = (max(1, round(side * scale)) for side in decoded.original)
    return resize_decoded(path, decoded, (height, width)), decoded.original


def read_mask(
    path: str | Path,
    size: tuple[int, int] | None = None,
    image: str | Path | None = None,
    rule: MaskRule = OFFICIAL,
) -> npt.NDArray[np.uint8]:
    """Read a mask file, of the size and orientation that an image viewer shows.

    A mask belongs to its image *as shown*, after the EXIF orientation of either. Some programs
    draw masks on the stored pixels of an image that is shown sideways (orientations 5 to 8): a
    mask that has the stored height and width only is turned along with its image. Sizes do not
    tell which of the two a square image's mask is, nor one of orientations 2 to 4, which keep
    height and width: such a mask is taken as it is shown.

    Args:
        path: grey, 1-bit, 16-bit, palette or RGB file. Transparent parts are no lesion. See
            :func:`lesionseg.data.io.pixel_modes.to_grey`.
        size: height and width that the mask must have, those of its image as shown.
        image: path of its image, whose orientation a mask on stored pixels follows; None takes no
            such mask.
        rule: what in the masks of its data set is lesion; by default what lies above 128.

    Returns:
        uint8 (h, w), where lesion lies above 128: the file's own grey values, 0 to 255, unless the
        rule has another threshold, which gives 0 and 255.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if the file cannot be read, has another size than ``size``, is coloured,
            or holds values that do not fit the rule, such as 0 and 1 by default.
    """
    return rule.apply(read_grey(path, size, image), path)


def read_grey(
    path: str | Path, size: tuple[int, int] | None = None, image: str | Path | None = None
) -> npt.NDArray[np.uint8]:
    """Read a mask file as the grey values that it holds, 0 to 255; see :func:`read_mask`."""
    path = Path(path)
    mask = decode(path, "mask").upright()
    if size is not None and (mask.height, mask.width) != tuple(size):
        mask = _turned_along(path, mask, size, image)
    try:
        return to_grey(mask)
    except ValueError as error:
        raise InvalidDataError(f"The mask {path} cannot be used: {error}.") from error


def find_rule(masks: Sequence[Path]) -> MaskRule:
    """Decide what is lesion in masks that belong together, from a few of them.

    Raises:
        InvalidDataError: if their values are ambiguous; see
            :func:`lesionseg.data.io.mask_values.decide`.
    """
    if not masks:
        return OFFICIAL
    where = f"The masks in {masks[0].parent}"
    return decide_lazily(len(masks), lambda index: values_of(read_grey(masks[index])), where)


def _turned_along(
    path: Path, mask: Image.Image, size: tuple[int, int], image: str | Path | None
) -> Image.Image:
    """The mask at its image's size, if it was drawn on the stored pixels of a sideways image."""
    if image is not None and mask.size == tuple(size):  # Pillow's size is (width, height)
        turned = turn(mask, read_orientation(Path(image)))
        if turned.size != mask.size:
            return turned
    raise InvalidDataError(
        f"The mask {path} is {mask.width} x {mask.height} pixels (width x height), but "
        f"its image is {size[1]} x {size[0]}; every mask needs the size of its image."
    )
