"""Measurements of masks, and their table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lesionseg.errors import printable
from lesionseg.files import atomic_path

COLUMNS = (
    *("image", "width", "height", "lesion_pixels", "lesion_percent"),
    *("left", "top", "right", "bottom", "touches_border"),
)
MEASUREMENTS = "measurements.csv"


def measure(name: str, mask: npt.NDArray[np.bool_]) -> dict[str, object]:
    """Measure the lesion in a mask.

    Args:
        name: Name of the image.
        mask: Bool (height, width).

    Returns:
        A value for each of ``COLUMNS``. The bounding box in pixels includes ``left`` and ``top``
        and excludes ``right`` and ``bottom``, as Pillow's boxes do; it is empty text if the mask is
        empty. ``touches_border`` is 1 if the lesion reaches the edge of the image, so that part of
        it may be cut off.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.measurements import measure
        >>> mask = np.zeros((4, 5), bool)
        >>> mask[1:3, 2:4] = True
        >>> row = measure("photo.jpg", mask)
        >>> row["lesion_pixels"], row["lesion_percent"], row["left"], row["bottom"]
        (4, '20.000', 2, 3)
    """
    height, width = mask.shape
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    pixels = int(np.count_nonzero(mask))
    box: list[object] = ["", "", "", ""]
    touches = False
    if pixels:
        left, top = int(columns[0]), int(rows[0])
        right, bottom = int(columns[-1]) + 1, int(rows[-1]) + 1
        box = [left, top, right, bottom]
        touches = left == 0 or top == 0 or right == width or bottom == height
    share = f"{100 * pixels / mask.size:.3f}"
    values = (printable(name, breaks=False), width, height, pixels, share, *box, int(touches))
    return dict(zip(COLUMNS, values, strict=True))


def write_measurements(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write the results of :func:`measure` as a CSV file.

    Args:
        rows: One for each image.
        path: File to write.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
