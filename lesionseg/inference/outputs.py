"""The files that a prediction leaves: mask, probability, uncertainty, overlay, submission zip."""

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


def to_grey(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """A boolean mask (height, width) as the challenge's grey values, uint8 in {0, 255}."""
    grey: npt.NDArray[np.uint8] = np.where(mask, np.uint8(255), np.uint8(0))
    return grey


def save_mask(mask: npt.NDArray[np.bool_], path: Path) -> None:
    """Writes a boolean mask (height, width) as a grey {0, 255} PNG, whole or not at all."""
    save_picture(Image.fromarray(to_grey(mask)), path)


def save_map(values: npt.NDArray[np.float32], path: Path) -> None:
    """Writes a map (height, width) in [0, 1] as a 16-bit grey PNG: 65535 is 1."""
    pixels = values.clip(0, 1)
    pixels *= 65535
    pixels = pixels.round(out=pixels).astype(np.uint16)
    save_picture(Image.fromarray(pixels), path)


def save_overlay(image: Image.Image, mask: npt.NDArray[np.bool_], path: Path) -> None:
    """Writes the image with the mask's border in red."""
    save_picture(draw_outline(image, mask), path)


def save_zip(files: Iterable[Path], path: Path) -> None:
    """Writes files, without their folders, into one zip; PNGs are stored as they are.

    The same files give the same bytes, whenever they were written.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in files:
            name = os.fsencode(file.name).decode("utf-8", "replace")  # zips know text only
            entry = zipfile.ZipInfo(name)  # of 1980, not of the file's time
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
        archive.comment = MARK.encode()
