"""Write segmentations in the formats that people use."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import MARK, atomic_path, check_outputs
from lesionseg.inference.coco import CocoEntry, coco_entry, join_coco
from lesionseg.inference.measures import MEASURE_NAMES

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import Segmentation

Format = Literal["mask", "overlay", "probability", "json", "csv", "coco", "dicom-seg"]
"""Names of formats; see :meth:`Segmentation.save`."""
FORMATS: tuple[Format, ...] = get_args(Format)

MEASURES_TABLE = "measures.csv"
COCO_FILE = "coco.json"
_ENDINGS: dict[str, str] = {  # of the files of an image
    "mask": "segmentation.png",
    "overlay": "overlay.png",
    "probability": "probability.png",
    "json": "segmentation.json",
    "dicom-seg": "segmentation.dcm",
}
_TABLES: dict[str, str] = {"csv": MEASURES_TABLE, "coco": COCO_FILE}  # of a folder
_PAIRS = {  # measures of two or more numbers, which are columns of their own
    "bounding_box": ("left", "top", "right", "bottom"),
    "centroid": ("center_x", "center_y"),
    "pixel_spacing": ("row_spacing_mm", "column_spacing_mm"),
}
# The first columns are those of version 0.1.
_FIRST = (
    *("image", "width", "height", "lesion_pixels", "lesion_percent"),
    *(*_PAIRS["bounding_box"], "touches_border"),
)
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
        self.coco: list[CocoEntry] = []

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
        from lesionseg.inference.dicom_seg import save_dicom_seg
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
            elif kind == "dicom-seg":
                save_dicom_seg(result, self.path(name, kind))
            elif kind == "csv":
                self.rows.append(table_row(result))
            elif kind == "coco":
                self.coco.append(coco_entry(result, result.file_name))

    def clear(self) -> None:
        """Forget the rows of the tables."""
        self.rows.clear()
        self.coco.clear()

    def extend(self, rows: Sequence[dict[str, object]], coco: Sequence[CocoEntry]) -> None:
        """Add rows of another writer; of an image that both have, the first stays."""
        known = {row["image"] for row in self.rows}
        self.rows += [row for row in rows if row["image"] not in known]
        named = {image["file_name"] for image, _ in self.coco}
        self.coco += [entry for entry in coco if entry[0]["file_name"] not in named]

    def sort(self) -> None:
        """Sort the rows of the tables by the names of their images."""
        self.rows.sort(key=lambda row: str(row["image"]))
        self.coco.sort(key=lambda entry: str(entry[0]["file_name"]))

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


def result_names(name: str) -> list[str]:
    """Return the names that the files of an image have in each format."""
    return [f"{name}_{ending}" for ending in _ENDINGS.values()]


def review_lines(reviews: Mapping[str, Sequence[str]], shown: int = 20) -> list[str]:
    r"""Return the lines of a summary that names the images worth a second look.

    Args:
        reviews: For each image, by its name, the reasons of :attr:`Segmentation.review`.
        shown: Greatest number of images that are named.

    Returns:
        Lines; none if there is no such image.

    Example:
        >>> from lesionseg.inference.saving import review_lines
        >>> print("\n".join(review_lines({"a.jpg": (), "b.jpg": ("touches the border",)})))
        1 of 2 images is worth a second look:
          b.jpg: touches the border
    """
    named = {name: reasons for name, reasons in reviews.items() if reasons}
    if not named:
        return []
    images, verb = f"image{'s' * (len(reviews) > 1)}", "is" if len(named) == 1 else "are"
    lines = [f"{len(named)} of {len(reviews)} {images} {verb} worth a second look:"]
    for name, reasons in list(named.items())[:shown]:
        lines.append(f"  {printable(name, breaks=False)}: {', '.join(reasons)}")
    if len(named) > shown:
        counts = Counter(reason for reasons in named.values() for reason in reasons)
        listed = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
        lines.append(f"  and {len(named) - shown} more (in all: {listed})")
    return lines
