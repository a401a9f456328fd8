"""The files that a prediction leaves: mask, probability, uncertainty, overlay, submission zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from lesionseg.files import atomic_path
from lesionseg.inference.postprocess import to_grey
from lesionseg.overlay import draw_outline


def save_mask(mask: Tensor, path: Path) -> None:
    """Writes a boolean mask (height, width) as a grey {0, 255} PNG, whole or not at all."""
    _save(Image.fromarray(to_grey(mask)), path)


def save_map(values: Tensor, path: Path) -> None:
    """Writes a map (height, width) in [0, 1] as a 16-bit grey PNG: 65535 is 1."""
    pixels = (values.clamp(0, 1) * 65535).round().cpu().numpy().astype(np.uint16)
    _save(Image.fromarray(pixels), path)


def save_overlay(image: Image.Image, mask: Tensor, path: Path) -> None:
    """Writes the image with the mask's border in red."""
    _save(draw_outline(image, mask.cpu().numpy()), path)


def save_zip(files: Iterable[Path], path: Path) -> None:
    """Writes files, without their folders, into one zip; PNGs are stored as they are."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in files:
            archive.write(file, file.name)


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        picture.save(temporary)
