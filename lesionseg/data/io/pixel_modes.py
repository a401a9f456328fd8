"""Convert pixels of every kind that files hold to 8-bit ones."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

WHITE, BLACK = 255, 0

_MAX_COLOR = 64
"""Largest difference between the channels of a gray mask; JPEG noise stays far below."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB, as a viewer shows it on white paper.

    - Transparent pixels, also those of palettes and of a transparent color, are laid on white.
      Chosen: browsers and printers do so, while the color stored below them is arbitrary.
    - 16 bits: the high byte is kept, as Pillow does for three channels.
    - 32 bits have no fixed white. Chosen: integers count as 8 bits if none exceeds 255, else as 16
      bits; floats are taken to be in [0, 1], [0, 255] or [0, 65535], the first that holds all.
    - CMYK is converted by Pillow without a profile; Pillow knows JPEG's inverted CMYK.

    Args:
        image: Image of any size; an RGB image is returned itself.

    Raises:
        ValueError: If 32-bit pixels are negative, too large or not a number, or Pillow cannot
            convert the mode.

    Example:
        >>> to_rgb(Image.new("I;16", (1, 1), 0x80FF)).getpixel((0, 0))
        (128, 128, 128)
    """
    if _is_numeric(image):
        return Image.fromarray(_to_8_bit(image, WHITE)).convert("RGB")
    if image.has_transparency_data:
        return _lay_on(image, WHITE)
    return image if image.mode == "RGB" else image.convert("RGB")


def decode_gray(mask: Image.Image) -> npt.NDArray[np.uint8]:
    """Convert a mask of any mode to gray values, like :func:`to_rgb` but laid on black.

    Transparent pixels of a mask are background. 16-bit masks without a value above 255 are taken
    to hold 8 bits. Of a palette of colors the indices are returned, as drawing programs mean them.

    Returns:
        uint8 (height, width).

    Raises:
        ValueError: If it is colored without a palette, or as for :func:`to_rgb`.

    Example:
        >>> decode_gray(Image.new("1", (2, 1), 1))
        array([[255, 255]], dtype=uint8)
    """
    indices = mask if mask.mode == "P" else None
    if _is_numeric(mask):
        return _to_8_bit(mask, BLACK)
    if mask.has_transparency_data:
        mask = _lay_on(mask, BLACK)
    if mask.mode not in ("1", "L"):
        mask = mask if mask.mode == "RGB" else mask.convert("RGB")
        red, green, blue = mask.split()
        for first, second in ((red, green), (green, blue)):
            # Pure red, for example, has a luminance of 76: all of it would count as skin.
            if np.asarray(ImageChops.difference(first, second)).max(initial=0) > _MAX_COLOR:
                if indices is not None:
                    return np.array(indices, dtype=np.uint8)
                raise ValueError("it is colored; draw the lesion white on black")
    return np.array(mask if mask.mode == "L" else mask.convert("L"), dtype=np.uint8)


def _is_numeric(image: Image.Image) -> bool:
    """Return whether Pillow would clip the values at 255 instead of scaling them."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _to_8_bit(image: Image.Image, paper: int) -> npt.NDArray[np.uint8]:
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        # An image may be dark, but a mask without a high byte would be empty: it holds 8 bits.
        is_8_bit = paper == BLACK and values.max(initial=0) <= 255
        gray: npt.NDArray[np.uint8] = (values if is_8_bit else values >> 8).astype(np.uint8)
        if "transparency" in image.info:
            gray[values == image.info["transparency"]] = paper
        return gray
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and highest <= 65535):  # also true for NaN
        raise ValueError(f"its values go from {lowest} to {highest}; save it with 8 or 16 bits")
    if image.mode == "I":
        # Pillow scales the gray values of a PGM to 16 bits.
        is_8_bit = highest <= 255 and image.format != "PPM"
        return (values if is_8_bit else values >> 8).astype(np.uint8)
    white = next(white for white in (1, 255, 65535) if highest <= white)
    scaled: npt.NDArray[np.uint8] = np.rint(values * np.float32(255 / white)).astype(np.uint8)
    return scaled


def _lay_on(image: Image.Image, paper: int) -> Image.Image:
    """Replace transparent pixels by ``paper``, a gray value."""
    colored = image.convert("RGBA")
    alpha = colored.getchannel("A")
    pixels = colored.convert("RGB")
    if alpha.getextrema() == (255, 255):
        return pixels
    sheet = Image.new("RGB", image.size, (paper, paper, paper))
    sheet.paste(pixels, mask=alpha)
    return sheet
