"""Write masks, probability maps, overlays and submission zips."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.files import MARK, atomic_path
from lesionseg.visualization import draw_outline, save_picture


def encode_mask(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return a bool mask (height, width) as the challenge's gray values, uint8 in {0, 255}.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.outputs import encode_mask
        >>> encode_mask(np.array([[True, False]]))
        array([[255,   0]], dtype=uint8)
    """
    gray: npt.NDArray[np.uint8] = np.where(mask, np.uint8(255), np.uint8(0))
    return gray


def save_mask(mask: npt.NDArray[np.bool_], path: Path) -> None:
    """Write a bool mask (height, width) atomically as a gray {0, 255} PNG.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from PIL import Image
        >>> from lesionseg.inference.outputs import save_mask
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_mask(np.ones((4, 6), bool), Path(folder, "mask.png"))
        ...     Image.open(Path(folder, "mask.png")).getextrema()
        (255, 255)
    """
    save_picture(Image.fromarray(encode_mask(mask)), path)


def save_map(values: npt.NDArray[np.float32], path: Path) -> None:
    """Write a map (height, width) in [0, 1] as a 16-bit gray PNG, in which 65535 is 1."""
    pixels = values.clip(0, 1)
    pixels *= 65535
    pixels = pixels.round(out=pixels).astype(np.uint16)
    save_picture(Image.fromarray(pixels), path)


def save_overlay(image: Image.Image, mask: npt.NDArray[np.bool_], path: Path) -> None:
    """Write an image with the outline of a mask in red."""
    save_picture(draw_outline(image, mask), path)


def save_zip(files: Iterable[Path], path: Path) -> None:
    """Write files, without their folders and uncompressed, into a zip.

    The zip of the same files has the same bytes, whenever they were written.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in files:
            name = os.fsencode(file.name).decode("utf-8", "replace")  # names in zips are text
            info = zipfile.ZipInfo(name)  # dated 1980, not by the file
            info.external_attr = 0o644 << 16
            archive.writestr(info, file.read_bytes())
        archive.comment = MARK.encode()
