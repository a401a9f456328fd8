"""Images at a small size, without decoding more of big ones than needed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lesionseg.data.reading import decode


def read_small(path: Path, longest: int) -> tuple[Image.Image, tuple[int, int]]:
    """Read an image at a small size; of a big JPEG, a fraction is decoded.

    Args:
        path: Of the file.
        longest: Longer side of the result, in pixels.

    Returns:
        8-bit RGB, of the image's aspect, and the height and width of the image itself.

    Raises:
        LesionsegError: If the file cannot be read.
        ValueError: If its pixels are of a kind that Pillow cannot convert.
    """
    decoded = decode(path, "image", at_least=(longest, longest))
    height, width = decoded.original
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = decoded.image if decoded.image.mode == "RGB" else decoded.image.convert("RGB")
    return image.resize(size, Image.Resampling.BILINEAR, decoded.box), decoded.original
