"""Outlines and run lengths of masks, and COCO's annotations. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from lesionseg.files import MARK

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import Segmentation

CocoShape = Literal["polygons", "rle"]
"""How COCO annotations describe a mask; see :func:`to_coco`."""

CocoEntry: TypeAlias = "tuple[dict[str, Any], dict[str, Any] | None]"  # an image and annotation


def mask_polygons(
    mask: npt.NDArray[np.bool_], tolerance: float = 0.5
) -> list[npt.NDArray[np.float64]]:
    """Return the outline of each piece of a mask as a polygon, without its holes.

    scikit-image's marching squares (``find_contours``) between lesion and skin, simplified by
    Douglas and Peucker's algorithm (``approximate_polygon``).

    Args:
        mask: Bool (height, width).
        tolerance: Largest distance in pixels between the outline and the polygon.

    Returns:
        float64 (vertices, 2) of (x, y) in pixels for each piece, the largest first. (0, 0) is the
        upper left corner of the image, so that pixel centers are at halves, as in COCO. The last
        vertex is not the first again.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.coco import mask_polygons
        >>> mask = np.zeros((40, 60), bool)
        >>> mask[10:30, 20:50] = True
        >>> (polygon,) = mask_polygons(mask, tolerance=0)
        >>> polygon.min(axis=0), polygon.max(axis=0)
        (array([20., 10.]), array([50., 30.]))
    """
    from skimage.measure import approximate_polygon, find_contours

    found = []
    # Lesion pixels that touch at a corner are connected, as in the number of pieces.
    padded = np.pad(mask, 1).astype(np.float32)
    for contour in find_contours(padded, 0.5, fully_connected="high", positive_orientation="high"):
        line = contour[:, ::-1] - 0.5
        area = _signed_area(line)
        if area <= 0:  # a hole
            continue
        corners = approximate_polygon(line, tolerance)[:-1]
        if len(corners) < 3:  # simplified to nothing
            corners = line[:-1]
        found.append((area, corners))
    found.sort(key=lambda pair: -pair[0])
    return [corners for _, corners in found]


def _signed_area(line: npt.NDArray[np.float64]) -> float:
    x, y = line.T
    return float((x[1:] * y[:-1] - x[:-1] * y[1:]).sum() / 2)


def encode_rle(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return a mask as COCO's compressed run lengths, which ``pycocotools.mask.decode`` reads.

    Args:
        mask: Bool (height, width).

    Returns:
        ``size``, [height, width], and ``counts``, the lengths of the runs of skin and lesion in
        turn, column by column, as text in COCO's variable-length code.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.coco import decode_rle, encode_rle
        >>> mask = np.zeros((3, 4), bool)
        >>> mask[1, 1:3] = True
        >>> encode_rle(mask)
        {'size': [3, 4], 'counts': '41202'}
        >>> bool((decode_rle(encode_rle(mask)) == mask).all())
        True
    """
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], changes, [mask.size]]))
    # From the fourth on, the difference to the run before the last is stored (maskApi.c).
    runs[3:] -= runs[1:-2].copy()
    return {"size": list(mask.shape), "counts": "".join(map(_encode_number, runs.tolist()))}


def _encode_number(value: int) -> str:
    """Encode an integer in groups of five bits, the lowest first; the sixth bit says "more"."""
    characters = []
    while True:
        group = value & 0x1F
        value >>= 5  # arithmetic: -1 stays -1
        more = value != (-1 if group & 0x10 else 0)
        characters.append(chr(48 + group + (0x20 if more else 0)))
        if not more:
            return "".join(characters)


def decode_rle(rle: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Return the mask of COCO's run lengths, compressed or as a list of numbers.

    Args:
        rle: ``size`` and ``counts``; see :func:`encode_rle`.

    Returns:
        Bool (height, width).

    Raises:
        ValueError: If the runs do not fill the mask.

    Example:
        >>> from lesionseg.inference.coco import decode_rle
        >>> decode_rle({"size": [2, 3], "counts": [2, 2, 2]}).astype(int)
        array([[0, 1, 0],
               [0, 1, 0]])
    """
    height, width = rle["size"]
    counts = rle["counts"]
    runs = _decode_numbers(counts) if isinstance(counts, str) else list(counts)
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise ValueError(
            f"expected counts to fill {height} x {width} pixels (height x width), got runs of "
            f"{sum(runs)} pixels in all"
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape((height, width), order="F")


def _decode_numbers(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def to_coco(
    segmentations: Sequence[Segmentation],
    shape: CocoShape = "polygons",
    file_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return segmentations as a COCO data set of instance segmentation.

    Args:
        segmentations: Of one image each.
        shape: ``"polygons"``, which most programs read, but which cannot describe holes; or
            ``"rle"``, which is exact.
        file_names: Names of the images; None takes those of the segmentations.

    Returns:
        ``info``, ``images``, ``annotations`` and ``categories``, which the package ``json`` writes.
        Images and annotations are numbered from 1. An image without lesion has no annotation. All
        pieces of a mask are one annotation, whose ``area`` is that of the mask, without its holes,
        and whose ``score`` is the segmentation's confidence.

    Raises:
        ValueError: If ``shape`` is unknown, or the numbers of names and segmentations differ.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference import Segmentation, to_coco
        >>> mask = np.zeros((40, 60), bool)
        >>> mask[10:30, 20:50] = True
        >>> data = to_coco([Segmentation(mask, mask.astype(np.float32))], file_names=["a.jpg"])
        >>> data["images"]
        [{'id': 1, 'file_name': 'a.jpg', 'width': 60, 'height': 40}]
        >>> data["annotations"][0]["bbox"], data["annotations"][0]["area"]
        ([20, 10, 30, 20], 600)
    """
    if shape not in ("polygons", "rle"):
        raise ValueError(f"expected shape to be polygons or rle, got {shape!r}")
    if file_names is None:
        file_names = [result.file_name for result in segmentations]
    if len(file_names) != len(segmentations):
        raise ValueError(
            f"expected file_names to have one name for each of the {len(segmentations)} "
            f"segmentations, got {len(file_names)}"
        )
    entries = [
        coco_entry(result, name, shape)
        for result, name in zip(segmentations, file_names, strict=True)
    ]
    return join_coco(entries)


def coco_entry(result: Segmentation, file_name: str, shape: CocoShape = "polygons") -> CocoEntry:
    """Return an image of a COCO data set and its annotation, without their numbers."""
    height, width = result.mask.shape
    image = {"file_name": file_name, "width": width, "height": height}
    if not result.mask.any():
        return image, None
    rows, columns = result.mask.any(axis=1).nonzero()[0], result.mask.any(axis=0).nonzero()[0]
    left, top = int(columns[0]), int(rows[0])
    segmentation: Any
    if shape == "rle":
        segmentation = encode_rle(result.mask)
    else:
        segmentation = [np.round(line, 2).ravel().tolist() for line in mask_polygons(result.mask)]
    annotation = {
        "category_id": 1,
        "segmentation": segmentation,
        "area": int(np.count_nonzero(result.mask)),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
        "score": result.confidence,
    }
    return image, annotation


def join_coco(entries: Sequence[CocoEntry]) -> dict[str, Any]:
    """Return a COCO data set of the results of :func:`coco_entry`, numbered from 1."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (image, annotation) in enumerate(entries, 1):
        images.append({"id": number, **image})
        if annotation is not None:
            known = {"id": len(annotations) + 1, "image_id": number}
            annotations.append({**known, **annotation})
    return {
        "info": {"description": f"lesion segmentations, {MARK}"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "lesion", "supercategory": "skin"}],
    }
