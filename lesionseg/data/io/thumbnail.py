"""Images at a small size, without decoding more of big ones than needed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lesionseg.data.io.decoding import decode, turn
from lesionseg.data.io.reading import rgb_of


def read_small(path: Path, longest: int) -> tuple[Image.Image, tuple[int, int]]:
    """Read an image at a small size; of a big JPEG, a fraction is decoded.

    Args:
        path: Of the file.
        longest: Longer side of the result, in pixels.

    Returns:
        8-bit RGB, of the image's aspect, and the height and width of the image itself, both as a
        viewer shows it.

    Raises:
        LesionsegError: If the file cannot be read.
    """
    decoded = decode(path, "image", at_least=(longest, longest))
    height, width = decoded.original
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    stored = size[::-1] if decoded.sideways else size
    image = rgb_of(path, decoded.image).resize(stored, Image.Resampling.BILINEAR, decoded.box)
    return turn(image, decoded.orientation), decoded.original
