"""Read images and masks at their own size, or images at a small one. Without torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.data.io.decoding import Decoded, decode, read_orientation, turn
from lesionseg.data.io.mask_values import OFFICIAL, MaskRule, decide_lazily, values_of
from lesionseg.data.io.pixel_modes import decode_gray, to_rgb
from lesionseg.errors import InvalidDataError, MaskSizeError, MaskValueError


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return ``size`` as a tuple of two positive integers, (height, width).

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> check_size([192, 256])
        (192, 256)
    """
    if len(size) != 2 or any(int(side) != side or side < 1 for side in size):
        raise ValueError(
            f"expected size to be (height, width) in whole pixels, such as (192, 256), got {size!r}"
        )
    return int(size[0]), int(size[1])


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as 8-bit RGB, with the size and orientation that an image viewer shows.

    EXIF orientation is applied (Pillow also finds it in XMP), transparent pixels are laid on white,
    16 bits are scaled to 8, and color profiles are ignored. Of several pictures in a file the first
    is read. :func:`lesionseg.data.io.pixel_modes.to_rgb` describes each mode.

    Args:
        path: Regular file of a raster format (:data:`lesionseg.data.io.decoding.RASTER_FORMATS`)
            with at most 200 million pixels.

    Returns:
        The decoded image, mode ``RGB``.

    Raises:
        DatasetNotFoundError: If there is no such file.
        InvalidDataError: If the file is empty, truncated, too large or not an image.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "photo.png")
        ...     Image.new("RGBA", (4, 2), (255, 0, 0, 0)).save(path)  # fully transparent
        ...     image = read_image(path)
        >>> image.mode, image.size, image.getpixel((0, 0))
        ('RGB', (4, 2), (255, 255, 255))
    """
    path = Path(path)
    return rgb_of(path, decode(path, "image").upright())


def rgb_of(path: Path, image: Image.Image) -> Image.Image:
    """Convert an image that was decoded from ``path`` to 8-bit RGB.

    Raises:
        InvalidDataError: If its pixels are of a kind that cannot be converted.
    """
    try:
        return to_rgb(image)
    except ValueError as error:
        raise InvalidDataError(f"The image {path} cannot be used: {error}.") from error


def resize_decoded(path: Path, decoded: Decoded, size: tuple[int, int]) -> Image.Image:
    """Resize a decoded image, perhaps decoded at a reduced scale, and apply its orientation.

    Args:
        path: The image's file, for messages.
        decoded: Result of :func:`lesionseg.data.io.decoding.decode`.
        size: Height and width of the result.

    Returns:
        8-bit RGB image.

    Raises:
        InvalidDataError: If its pixels are of a kind that cannot be converted.
    """
    stored = size if decoded.sideways else size[::-1]
    # 1022 columns are 127.75 at 1/8, in 128 pixels: without the box the last would count fully.
    image = rgb_of(path, decoded.image).resize(stored, Image.Resampling.BILINEAR, decoded.box)
    return turn(image, decoded.orientation)


def read_thumbnail(path: Path, longest: int) -> tuple[Image.Image, tuple[int, int]]:
    """Read an image at a small size; a large JPEG is decoded at a reduced scale.

    Args:
        path: Image file.
        longest: Longer side of the result, in pixels.

    Returns:
        8-bit RGB image of the same aspect ratio, and the file's own height and width, both after
        EXIF orientation.

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
    """Read a mask file, with the size and orientation that an image viewer shows.

    A mask belongs to its image *as shown*, after the EXIF orientation of both. Some programs draw
    masks on the stored pixels of an image that is shown sideways (orientations 5 to 8): a mask that
    has the image's stored height and width is turned along with its image. The size does not
    reveal this for square images, nor for orientations 2 to 4, which keep height and width: such a
    mask is read as it is shown.

    Args:
        path: Gray, 1-bit, 16-bit, palette or RGB file. Transparent pixels are background. See
            :func:`lesionseg.data.io.pixel_modes.decode_gray`.
        size: Expected height and width: those of the image as shown. None accepts any.
        image: Image file, whose orientation is applied to a mask on stored pixels. None refuses
            such a mask.
        rule: Which gray values of the data set's masks are lesion; by default those above 128.

    Returns:
        uint8 (h, w), lesion above 128: the file's own gray values, 0 to 255, or 0 and 255 if the
        rule has another threshold than 128.

    Raises:
        DatasetNotFoundError: If there is no such file.
        InvalidDataError: If the file cannot be read.
        MaskSizeError: If its size is not ``size``.
        MaskValueError: If it is colored, or its values do not fit the rule, such as 0 and 1 by
            default.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "mask.png")
        ...     Image.fromarray(np.array([[0, 255, 255]], dtype=np.uint8)).save(path)
        ...     read_mask(path, size=(1, 3))
        array([[  0, 255, 255]], dtype=uint8)
    """
    return rule.apply(read_gray(path, size, image), path)


def read_gray(
    path: str | Path, size: tuple[int, int] | None = None, image: str | Path | None = None
) -> npt.NDArray[np.uint8]:
    """Read the gray values of a mask file, 0 to 255; see :func:`read_mask`."""
    path = Path(path)
    mask = decode(path, "mask").upright()
    if size is not None and (mask.height, mask.width) != tuple(size):
        mask = _turn_with_image(path, mask, size, image)
    try:
        return decode_gray(mask)
    except ValueError as error:
        raise MaskValueError(f"The mask {path} cannot be used: {error}.") from error


def find_rule(masks: Sequence[Path]) -> MaskRule:
    """Decide from a few masks of a data set which of their gray values are lesion.

    Raises:
        InvalidDataError: If their values are ambiguous; see
            :func:`lesionseg.data.io.mask_values.decide`.
    """
    if not masks:
        return OFFICIAL
    where = f"The masks in {masks[0].parent}"
    return decide_lazily(len(masks), lambda index: values_of(read_gray(masks[index])), where)


def _turn_with_image(
    path: Path, mask: Image.Image, size: tuple[int, int], image: str | Path | None
) -> Image.Image:
    """Turn a mask that was drawn on the stored pixels of a sideways image."""
    if image is not None and mask.size == tuple(size):  # Pillow's size is (width, height)
        turned = turn(mask, read_orientation(Path(image)))
        if turned.size != mask.size:
            return turned
    raise MaskSizeError(
        f"The mask {path} is {mask.width} x {mask.height} pixels (width x height), but "
        f"its image is {size[1]} x {size[0]}; every mask needs the size of its image."
    )
