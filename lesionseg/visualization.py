"""Draw pictures: outlines on images, and contact sheets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from lesionseg.errors import LesionsegError
from lesionseg.files import MARK, atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

#: As in Figure 4 of the ASNet paper: the truth in green, the prediction in red.
TRUTH_COLOR = (0, 255, 0)
PREDICTION_COLOR = (255, 0, 0)


def __getattr__(name: str) -> object:
    new = name.replace("COLOUR", "COLOR")
    if new == name or new not in globals():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{name} is now {new}", DeprecationWarning, stacklevel=2)
    return globals()[new]


def to_picture(image: Tensor) -> Image.Image:
    """Convert an image tensor (3, H, W) in [0, 1] to an 8-bit RGB picture.

    Example:
        >>> import torch
        >>> to_picture(torch.ones(3, 2, 4)).getpixel((0, 0))
        (255, 255, 255)
    """
    pixels = (image.detach().float().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def draw_outline(
    image: Image.Image,
    mask: npt.NDArray[np.bool_],
    color: tuple[int, int, int] = PREDICTION_COLOR,
) -> Image.Image:
    """Draw the border of a mask on a copy of an image.

    Args:
        image: RGB image.
        mask: bool (height, width) of the image's size.
        color: RGB, 0 to 255.

    Returns:
        RGB image of the same size.

    Raises:
        ValueError: If the mask has another size than the image.

    Example:
        >>> mask = np.zeros((20, 30), dtype=bool)
        >>> mask[5:15, 5:25] = True
        >>> drawn = draw_outline(Image.new("RGB", (30, 20)), mask, (0, 255, 0))
        >>> drawn.getpixel((5, 5)), drawn.getpixel((15, 10))
        ((0, 255, 0), (0, 0, 0))
    """
    if mask.shape != (image.height, image.width):
        raise ValueError(
            f"expected mask to have the image's size, {image.height} x {image.width} (height x "
            f"width), got {mask.shape[0]} x {mask.shape[1]}"
        )
    from scipy.ndimage import minimum_filter  # slow to import, and rarely needed

    width = 2 * (max(image.size) // 400) + 3  # odd; about 0.5 % of the image
    region = mask.astype(np.uint8) * np.uint8(255)
    # Pillow's own filter takes minutes for a panorama: its time grows with the square of the width.
    border = region - minimum_filter(region, width, mode="nearest")
    drawn = image.convert("RGB")  # a copy, also of an RGB image
    drawn.paste(color, (0, 0), Image.fromarray(border))
    return drawn


def contact_sheet(
    tiles: Sequence[tuple[Image.Image, str]], columns: int = 4, width: int = 256
) -> Image.Image:
    """Arrange images in rows, each with a line of text below it.

    Args:
        tiles: (image, caption) pairs from left to right, top to bottom.
        columns: Number of tiles in a row.
        width: Width of a tile in pixels; all tiles are as high as the highest, at most ``width``.

    Returns:
        RGB image.

    Raises:
        ValueError: If there is no tile.

    Example:
        >>> tiles = [(Image.new("RGB", (40, 30), name), name) for name in ("red", "blue")]
        >>> contact_sheet(tiles, columns=2, width=100).size
        (224, 113)
    """
    if not tiles:
        raise ValueError("expected tiles to hold at least one image, got none")
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
    """Write a picture as PNG or JPEG, whole or not at all, marked as written by this package.

    Args:
        picture: Picture of a mode that the format supports.
        path: File whose suffix is that of the format; a device without a suffix gets a PNG.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_picture(Image.new("RGB", (4, 2)), Path(folder, "a.png"))
        ...     Image.open(Path(folder, "a.png")).info["Software"]
        'written by lesionseg'
    """
    with atomic_path(path) as temporary:
        if path.suffix.lower() in (".jpg", ".jpeg"):
            picture.save(temporary, comment=MARK)
            return
        about = PngInfo()
        about.add_text("Software", MARK)
        picture.save(temporary, "PNG", pnginfo=about)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a matplotlib figure, marked as written by this package where the format can be.

    Args:
        figure: Figure to save.
        path: File of a format that matplotlib writes, such as ``.png``, ``.svg`` or ``.pdf``; it is
            written atomically.

    Raises:
        LesionsegError: If matplotlib does not write this format.

    Example:
        >>> import tempfile
        >>> from matplotlib.figure import Figure
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_figure(Figure(), Path(folder, "empty.svg"))
        ...     [path.name for path in Path(folder).iterdir()]
        ['empty.svg']
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in figure.canvas.get_supported_filetypes():
        raise LesionsegError(
            f"a plot cannot be written to {path}; use a file name that ends in .png, .svg or .pdf."
        )
    # Other formats have no field for the mark: a second plot of that name needs --overwrite.
    about = {"png": "Software", "svg": "Creator", "pdf": "Creator", "ps": "Creator"}.get(kind)
    with atomic_path(path) as unfinished:
        metadata = {about: MARK} if about else None
        figure.savefig(unfinished, format=kind, dpi=150, metadata=metadata)
