"""Write segmentations in the formats that people use."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import MARK, atomic_path, check_outputs
from lesionseg.inference.coco import coco_entry, join_coco
from lesionseg.inference.measures import MEASURE_NAMES

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import Segmentation

Format = Literal["mask", "overlay", "probability", "json", "csv", "coco"]
"""Names of formats; see :meth:`Segmentation.save`."""
FORMATS: tuple[Format, ...] = get_args(Format)

MEASURES_TABLE = "measures.csv"
COCO_FILE = "coco.json"
_ENDINGS: dict[str, str] = {  # of the files of an image
    "mask": "segmentation.png",
    "overlay": "overlay.png",
    "probability": "probability.png",
    "json": "segmentation.json",
}
_TABLES: dict[str, str] = {"csv": MEASURES_TABLE, "coco": COCO_FILE}  # of a folder
_PAIRS = {  # measures of two or more numbers, which are columns of their own
    "bounding_box": ("left", "top", "right", "bottom"),
    "centroid": ("center_x", "center_y"),
    "pixel_spacing": ("row_spacing_mm", "column_spacing_mm"),
}
# The first columns are those of version 0.1.
_FIRST = ("image", "width", "height", "lesion_pixels", "lesion_percent")
_FIRST += (*_PAIRS["bounding_box"], "touches_border")
_LATER = tuple(
    name
    for measure in MEASURE_NAMES
    if measure not in ("width", "height", "area", "area_share", "bounding_box", "touches_border")
    for name in _PAIRS.get(measure, (measure,))
)
COLUMNS = (*_FIRST, "confidence", "review", *_LATER)
"""Columns of ``measures.csv``."""


def parse_formats(text: str | Sequence[str]) -> tuple[Format, ...]:
    """Return the formats that are named, in the order of :data:`FORMATS`.

    Args:
        text: Names, or text with commas.

    Raises:
        LesionsegError: If a name is unknown, or there is none.

    Example:
        >>> from lesionseg.inference.saving import parse_formats
        >>> parse_formats("json, mask")
        ('mask', 'json')
    """
    names = text.split(",") if isinstance(text, str) else list(text)
    names = [name.strip() for name in names if name.strip()]
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        got = printable(unknown[0], breaks=False) if unknown else "none"
        raise LesionsegError(
            f"expected formats to be some of {', '.join(FORMATS)}, separated by commas, got {got}."
        )
    return tuple(name for name in FORMATS if name in names)


class ResultWriter:
    """Writer of the results of several photographs into a folder.

    Files of an image are written at once, the tables of all images by :meth:`write_tables`.

    Args:
        folder: Folder; created when needed.
        formats: See :meth:`Segmentation.save`.
        subfolders: Folder below ``folder`` for each format; formats without one are written to
            ``folder``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from lesionseg.inference import Segmentation
        >>> from lesionseg.inference.saving import ResultWriter
        >>> mask = np.pad(np.ones((20, 30), bool), 10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writer = ResultWriter(Path(folder), ("mask", "csv"))
        ...     for name in ("a", "b"):
        ...         writer.add(Segmentation(mask, mask.astype("f4"), source=f"{name}.jpg"), name)
        ...     writer.write_tables()
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['a_segmentation.png', 'b_segmentation.png', 'measures.csv']
    """

    def __init__(
        self,
        folder: Path,
        formats: Sequence[Format],
        subfolders: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.formats = formats
        self._subfolders = subfolders or {}
        self.rows: list[dict[str, object]] = []
        self.coco: list[tuple[dict[str, Any], dict[str, Any] | None]] = []

    def path(self, name: str, kind: str) -> Path:
        """Return the file of an image in a format."""
        return self.folder / self._subfolders.get(kind, "") / f"{name}_{_ENDINGS[kind]}"

    def files(self, name: str) -> list[Path]:
        """Return the files of an image."""
        return [self.path(name, kind) for kind in self.formats if kind in _ENDINGS]

    def tables(self, prefix: str = "") -> list[Path]:
        """Return the files of all images together."""
        return [self.folder / (prefix + _TABLES[kind]) for kind in self.formats if kind in _TABLES]

    def add(self, result: Segmentation, name: str) -> None:
        """Write the files of an image, and keep its rows of the tables.

        Args:
            result: Segmentation of the image.
            name: Start of the names of its files.
        """
        from lesionseg.inference.outputs import save_map, save_mask
        from lesionseg.visualization import save_picture

        for kind in self.formats:
            if kind == "mask":
                save_mask(result.mask, self.path(name, kind))
            elif kind == "overlay":
                save_picture(result.overlay(), self.path(name, kind))
            elif kind == "probability":
                save_map(result.probability, self.path(name, kind))
            elif kind == "json":
                write_json({"software": MARK, **result.to_dict()}, self.path(name, kind))
            elif kind == "csv":
                self.rows.append(table_row(result))
            elif kind == "coco":
                self.coco.append(coco_entry(result, result.file_name))

    def write_tables(self, prefix: str = "") -> None:
        """Write the tables of all images that were added.

        Args:
            prefix: Start of the files' names.
        """
        if "csv" in self.formats:
            write_table(self.rows, self.folder / (prefix + MEASURES_TABLE))
        if "coco" in self.formats:
            write_json(join_coco(self.coco), self.folder / (prefix + COCO_FILE))


def save_segmentation(
    result: Segmentation,
    folder: Path,
    formats: str | Sequence[str],
    name: str | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the results of an image; see :meth:`Segmentation.save`."""
    name = name or result.name
    writer = ResultWriter(folder, parse_formats(formats))
    files = [*writer.files(name), *writer.tables(f"{name}_")]
    read = [] if result.source is None else [result.source]
    check_outputs(files, read, overwrite, "choose another folder or name, or overwrite=True")
    writer.add(result, name)
    writer.write_tables(f"{name}_")
    return files


def table_row(result: Segmentation) -> dict[str, object]:
    """Return the row of an image in ``measures.csv``, a value for each of :data:`COLUMNS`.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference import Segmentation
        >>> from lesionseg.inference.saving import table_row
        >>> mask = np.zeros((4, 5), bool)
        >>> mask[1:3, 2:4] = True
        >>> row = table_row(Segmentation(mask, mask.astype(np.float32), source="mole.jpg"))
        >>> row["image"], row["lesion_pixels"], row["lesion_percent"], row["left"], row["bottom"]
        ('mole.jpg', 4, '20.000', 2, 3)
    """
    known = result.measures.to_dict()
    for measure, names in _PAIRS.items():
        known.update(zip(names, known.pop(measure) or [None] * len(names), strict=True))
    values = {
        "image": printable(result.file_name, breaks=False),
        "lesion_pixels": known.pop("area"),
        "lesion_percent": f"{100 * known.pop('area_share'):.3f}",
        "confidence": result.confidence,
        "review": "; ".join(result.review),
        **known,
        "touches_border": int(known["touches_border"]),
    }
    return {name: _cell(values[name]) for name in COLUMNS}


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def write_table(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Write rows of :func:`table_row` as a CSV file."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write JSON in UTF-8."""
    with atomic_path(path) as temporary:
        text = json.dumps(content, allow_nan=False)
        temporary.write_text(text.encode("utf-8", "backslashreplace").decode(), encoding="utf-8")


def stale_names(name: str) -> Iterator[str]:
    """Yield the names that the results of an image may have in any format."""
    yield from (f"{name}_{ending}" for ending in _ENDINGS.values())
    yield from (f"{name}_{table}" for table in _TABLES.values())
