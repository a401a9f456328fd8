"""Pictures for people: outlines on images and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from lesionseg.files import MARK, atomic_path

if TYPE_CHECKING:
    from torch import Tensor

#: As in Figure 4 of the ASNet paper: the truth in green, the prediction in red.
TRUTH_COLOUR = (0, 255, 0)
PREDICTION_COLOUR = (255, 0, 0)


def to_picture(image: Tensor) -> Image.Image:
    """An image tensor (3, H, W) in [0, 1] as an 8-bit RGB picture."""
    pixels = (image.detach().float().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def draw_outline(
    image: Image.Image,
    mask: npt.NDArray[np.bool_],
    colour: tuple[int, int, int] = PREDICTION_COLOUR,
) -> Image.Image:
    """A copy of an image with the border of a mask drawn on it.

    Args:
        image: RGB.
        mask: bool (height, width) of the image's size.
        colour: RGB, 0 to 255.

    Raises:
        ValueError: The mask has another size than the image.
    """
    if mask.shape != (image.height, image.width):
        raise ValueError(
            f"the mask is {mask.shape[0]} x {mask.shape[1]} but the image is "
            f"{image.height} x {image.width} (height x width)"
        )
    from scipy.ndimage import minimum_filter  # slow to import, and few need it

    width = 2 * (max(image.size) // 400) + 3  # odd; about 0.5 % of the image
    region = mask.astype(np.uint8) * np.uint8(255)
    # Pillow's own filter takes minutes for a panorama: its time grows with the square of the width
    border = region - minimum_filter(region, width, mode="nearest")
    drawn = image.convert("RGB")  # a copy, also of RGB
    drawn.paste(colour, (0, 0), Image.fromarray(border))
    return drawn


def contact_sheet(
    tiles: Sequence[tuple[Image.Image, str]], columns: int = 4, width: int = 256
) -> Image.Image:
    """Images in rows, each with a line of text under it.

    Args:
        tiles: (image, caption) from left to right, top to bottom.
        columns: Tiles in a row.
        width: Of a tile, in pixels; every tile is as high as the highest, up to its width.

    Raises:
        ValueError: There is no tile.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one image")
    scaled = []
    for image, caption in tiles:
        scale = width / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        scaled.append((image.convert("RGB").resize(size, Image.Resampling.LANCZOS), caption))
    height = max(image.height for image, _ in scaled)
    line, gap = 22, 8
    rows = -(-len(scaled) // columns)
    columns = min(columns, len(scaled))
    sheet = Image.new(
        "RGB", (columns * (width + gap) + gap, rows * (height + line + gap) + gap), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for index, (image, caption) in enumerate(scaled):
        row, column = divmod(index, columns)
        left, top = gap + column * (width + gap), gap + row * (height + line + gap)
        sheet.paste(image, (left + (width - image.width) // 2, top + (height - image.height) // 2))
        draw.text((left + 2, top + height + 3), caption, fill="black", font=font)
    return sheet


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG or JPEG, whole or not at all, with the mark of this package.

    Args:
        picture: Of a mode that the format takes.
        path: The suffix tells the format; a device may have none, which gets a PNG.
    """
    with atomic_path(path) as temporary:
        if path.suffix.lower() in (".jpg", ".jpeg"):
            picture.save(temporary, comment=MARK)
            return
        about = PngInfo()
        about.add_text("Software", MARK)
        picture.save(temporary, "PNG", pnginfo=about)
