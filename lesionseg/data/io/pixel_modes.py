"""Pixels of every kind that files have, as 8-bit ones."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

WHITE, BLACK = 255, 0

_MOST_COLOUR = 64
"""Grey levels between the channels of a mask; JPEG's noise stays far below."""


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as 8-bit RGB, what a viewer shows on white paper.

    - Transparent pixels, also those of palettes and of a transparent colour, are laid on white.
      Chosen: it is what browsers and printers do, while the colour under them is anything.
    - 16 bits: the high byte, as Pillow does where there are three channels.
    - Pixels of 32 bits have no fixed white. Chosen: integers are of 8 bits if none exceeds 255, and
      of 16 bits else; fractions are of [0, 1], [0, 255] or [0, 65535], the first that holds all.
    - CMYK as Pillow converts it, without a profile; JPEG's inverted one is known to Pillow.

    Args:
        image: of any size; one that is RGB already is returned itself.

    Raises:
        ValueError: if 32-bit pixels are negative, too large or no numbers, or Pillow cannot
            convert the mode.
    """
    if _is_numeric(image):
        return Image.fromarray(_to_8_bit(image, WHITE)).convert("RGB")
    if image.has_transparency_data:
        return _laid_on(image, WHITE)
    return image if image.mode == "RGB" else image.convert("RGB")


def to_grey(mask: Image.Image) -> npt.NDArray[np.uint8]:
    """A mask of any mode as grey values, uint8 (h, w); as :func:`to_rgb`, but laid on black.

    Transparent parts of a mask are no lesion. 16 bits of which none exceeds 255 are 8 bits. A
    palette of colors is for the eye: its numbers are taken, as drawing programs mean them.

    Raises:
        ValueError: if it is coloured without a palette, or as :func:`to_rgb`.
    """
    numbers = mask if mask.mode == "P" else None
    if _is_numeric(mask):
        return _to_8_bit(mask, BLACK)
    if mask.has_transparency_data:
        mask = _laid_on(mask, BLACK)
    if mask.mode not in ("1", "L"):
        mask = mask if mask.mode == "RGB" else mask.convert("RGB")
        red, green, blue = mask.split()
        for one, other in ((red, green), (green, blue)):
            # red, say, has a luminance of 76: all of it would count as skin
            if np.asarray(ImageChops.difference(one, other)).max(initial=0) > _MOST_COLOUR:
                if numbers is not None:
                    return np.array(numbers, dtype=np.uint8)
                raise ValueError("it is coloured; draw the lesion white on black")
    return np.array(mask if mask.mode == "L" else mask.convert("L"), dtype=np.uint8)


def _is_numeric(image: Image.Image) -> bool:
    """Whether Pillow would clip the values at 255 instead of scaling them."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _to_8_bit(image: Image.Image, paper: int) -> npt.NDArray[np.uint8]:
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        # An image may be dark; a mask without a high byte has 8 bits in 16, or it would be empty.
        is_8_bit = paper == BLACK and values.max(initial=0) <= 255
        grey: npt.NDArray[np.uint8] = (values if is_8_bit else values >> 8).astype(np.uint8)
        if "transparency" in image.info:
            grey[values == image.info["transparency"]] = paper
        return grey
    least, most = values.min(), values.max()
    if not (least >= 0 and most <= 65535):  # nor if one is not a number
        raise ValueError(f"its values go from {least} to {most}; save it with 8 or 16 bits")
    if image.mode == "I":
        # Pillow scales the grey values of a PGM to 16 bits
        small = most <= 255 and image.format != "PPM"
        return (values if small else values >> 8).astype(np.uint8)
    white = next(white for white in (1, 255, 65535) if most <= white)
    scaled: npt.NDArray[np.uint8] = np.rint(values * np.float32(255 / white)).astype(np.uint8)
    return scaled


def _laid_on(image: Image.Image, paper: int) -> Image.Image:
    coloured = image.convert("RGBA")
    alpha = coloured.getchannel("A")
    pixels = coloured.convert("RGB")
    if alpha.getextrema() == (255, 255):
        return pixels
    sheet = Image.new("RGB", image.size, (paper, paper, paper))
    sheet.paste(pixels, mask=alpha)
    return sheet
