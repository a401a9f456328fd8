"""Measures of a lesion: size, shape, border and color.

All are of the whole mask, whose pieces count as a single region. Lengths and areas are in pixels,
and with a pixel spacing in millimeters too. Without torch; scikit-image is imported when used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lesionseg.metrics.surface import checked_spacing

if TYPE_CHECKING:
    from PIL import Image

_SAMPLES = 1 << 18  # pixels for asymmetry and color; more change the fourth digit only
_FEWEST_BOXES = 3  # sizes of boxes that a slope is fitted to


@dataclass(frozen=True)
class Measures:
    r"""Measures of a lesion; None where a measure is not defined.

    Of an empty mask, all but ``width``, ``height``, ``area``, ``area_share``, ``pieces`` and
    ``touches_border`` are None. Shape is measured in the plane of the pixel spacing where there is
    one, and else on square pixels.

    Attributes:
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        area: Number of lesion pixels.
        area_share: ``area`` as a share of the image, in [0, 1].
        bounding_box: (left, top, right, bottom) in pixels, which includes ``left`` and ``top`` and
            excludes ``right`` and ``bottom``, as Pillow's boxes do.
        centroid: (x, y) of the center of mass in pixels; (0, 0) is the center of the first pixel.
        equivalent_diameter: Diameter in pixels of the disk of the same area.
        major_axis: Length in pixels of the major axis of the ellipse that has the same second
            moments as the lesion (scikit-image's ``axis_major_length``).
        minor_axis: Length in pixels of its minor axis.
        orientation: Angle between the horizontal and the major axis in degrees, in (-90, 90],
            counterclockwise as seen on the screen.
        asymmetry_major: Share of the lesion that lies outside of its own reflection across the
            major axis, in [0, 1]; 0 is symmetric (Stoecker, Li and Moss 1992).
        asymmetry_minor: The same across the minor axis.
        perimeter: Length of the border in pixels, including that of holes, by the Crofton formula
            in four directions (Legland, Kiêu and Devaux 2007).
        compactness: $P^2 / (4 \pi A)$ of perimeter P and area A; 1 for a disk, more for an
            irregular border (Golston, Stoecker and Moss 1992). Digitization changes it by up to
            10 % for straight borders.
        fractal_dimension: Box-counting dimension of the border, between 1 for a smooth curve and 2
            (Claridge et al. 1992). It depends on the resolution: compare images of equal scale
            only. None for lesions of less than 64 pixels in width and height.
        color_variegation: Root mean square distance of the colors of the lesion from their mean, in
            CIELAB (CIE 1976 ΔE*ab, sRGB under D65); 0 is a single color. None without the image.
        pieces: Number of connected regions; pixels that touch at a corner are connected.
        touches_border: Whether the lesion reaches the edge of the image, so that part of it may
            be cut off.
        pixel_spacing: (row, column) distance between pixel centers in millimeters, or None, as
            are then the measures that follow.
        area_mm2: ``area`` in square millimeters.
        width_mm: Width of the bounding box in millimeters.
        height_mm: Height of the bounding box in millimeters.
        equivalent_diameter_mm: ``equivalent_diameter`` in millimeters.
        major_axis_mm: ``major_axis`` in millimeters.
        minor_axis_mm: ``minor_axis`` in millimeters.
        perimeter_mm: ``perimeter`` in millimeters.

    Example:
        >>> import numpy as np
        >>> from lesionseg.inference.measures import measure_lesion
        >>> y, x = np.mgrid[:200, :300]
        >>> measures = measure_lesion((y - 100) ** 2 + (x - 150) ** 2 <= 80**2, pixel_spacing=0.05)
        >>> measures.area, measures.bounding_box, round(measures.compactness, 2)
        (20081, (70, 20, 231, 181), 1.01)
        >>> f"{measures.equivalent_diameter_mm:.2f} mm"
        '7.99 mm'
    """

    width: int
    height: int
    area: int
    area_share: float
    bounding_box: tuple[int, int, int, int] | None = None
    centroid: tuple[float, float] | None = None
    equivalent_diameter: float | None = None
    major_axis: float | None = None
    minor_axis: float | None = None
    orientation: float | None = None
    asymmetry_major: float | None = None
    asymmetry_minor: float | None = None
    perimeter: float | None = None
    compactness: float | None = None
    fractal_dimension: float | None = None
    color_variegation: float | None = None
    pieces: int = 0
    touches_border: bool = False
    pixel_spacing: tuple[float, float] | None = None
    area_mm2: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    equivalent_diameter_mm: float | None = None
    major_axis_mm: float | None = None
    minor_axis_mm: float | None = None
    perimeter_mm: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as numbers, lists and None, as JSON knows them.

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference.measures import measure_lesion
            >>> measure_lesion(np.eye(4, dtype=bool)).to_dict()["bounding_box"]
            [0, 0, 4, 4]
        """
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


MEASURE_NAMES = tuple(field.name for field in fields(Measures))
"""Names of all measures, in order."""


def measure_lesion(
    mask: npt.NDArray[np.bool_],
    image: Image.Image | None = None,
    pixel_spacing: float | tuple[float, float] | None = None,
) -> Measures:
    """Measure the lesion in a mask.

    Args:
        mask: Bool (height, width).
        image: Photograph of the same size, for ``color_variegation``.
        pixel_spacing: Distance between pixel centers in millimeters, or (row, column) distances.

    Returns:
        The measures; see :class:`Measures` for definitions, units and sources.

    Raises:
        ValueError: If the mask is not two-dimensional, the image has another size, or the spacing
            is not positive.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from lesionseg.inference.measures import measure_lesion
        >>> mask = np.zeros((60, 80), bool)
        >>> mask[10:50, 20:60] = True
        >>> square = measure_lesion(mask, Image.new("RGB", (80, 60), "brown"))
        >>> square.area, square.pieces, square.touches_border, square.asymmetry_major
        (1600, 1, False, 0.0)
        >>> round(square.color_variegation, 6)
        0.0
    """
    if mask.ndim != 2:
        raise ValueError(f"expected mask to be (height, width), got the shape {mask.shape}")
    mask = np.asarray(mask, bool)
    height, width = mask.shape
    if image is not None and image.size != (width, height):
        raise ValueError(
            f"expected image to have the mask's size, {height} x {width} (height x width), got "
            f"{image.height} x {image.width}"
        )
    spacing = check_spacing(pixel_spacing)
    area = int(np.count_nonzero(mask))
    if not area:
        return Measures(width, height, 0, 0.0, pixel_spacing=spacing)
    from scipy import ndimage
    from skimage.measure import find_contours, regionprops

    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    inside = mask[top:bottom, left:right]
    region = regionprops(inside.view(np.uint8))[0]
    step = spacing or (1.0, 1.0)
    scaled = regionprops(inside.view(np.uint8), spacing=step)[0] if spacing else region
    perimeter = float(region.perimeter_crofton)
    contours = find_contours(np.pad(inside, 1).astype(np.float32), 0.5)
    perimeter_scaled = perimeter * _stretch(contours, step)
    angle = float(scaled.orientation)  # between the rows' direction and the major axis
    middle = region.centroid
    asymmetry = _asymmetries(inside, step, middle, angle)
    degrees = float(np.degrees(angle)) + 90.0
    millimeters: dict[str, Any] = {}
    if spacing:
        millimeters = {
            "area_mm2": area * spacing[0] * spacing[1],
            "width_mm": (right - left) * spacing[1],
            "height_mm": (bottom - top) * spacing[0],
            "equivalent_diameter_mm": float(scaled.equivalent_diameter_area),
            "major_axis_mm": float(scaled.axis_major_length),
            "minor_axis_mm": float(scaled.axis_minor_length),
            "perimeter_mm": perimeter_scaled,
        }
    return Measures(
        width=width,
        height=height,
        area=area,
        area_share=area / mask.size,
        bounding_box=(left, top, right, bottom),
        centroid=(left + float(middle[1]), top + float(middle[0])),
        equivalent_diameter=float(region.equivalent_diameter_area),
        major_axis=float(region.axis_major_length),
        minor_axis=float(region.axis_minor_length),
        orientation=degrees - 180.0 if degrees > 90.0 else degrees,
        asymmetry_major=asymmetry[0],
        asymmetry_minor=asymmetry[1],
        perimeter=perimeter,
        compactness=perimeter_scaled**2 / (4 * np.pi * area * step[0] * step[1]),
        fractal_dimension=_fractal_dimension(contours, inside.shape),
        color_variegation=_variegation(inside, image, (left, top, right, bottom)),
        pieces=int(ndimage.label(inside, structure=np.ones((3, 3)))[1]),
        touches_border=left == 0 or top == 0 or right == width or bottom == height,
        pixel_spacing=spacing,
        **millimeters,
    )


def check_spacing(value: float | tuple[float, float] | None) -> tuple[float, float] | None:
    """Return a pixel spacing as (row, column) distances in millimeters.

    Args:
        value: A distance for both, two distances, or None.

    Raises:
        ValueError: If it is anything else, or not positive and finite.

    Example:
        >>> from lesionseg.inference.measures import check_spacing
        >>> check_spacing(0.02)
        (0.02, 0.02)
    """
    if value is None:
        return None
    expected = "pixel_spacing to be a positive number of millimeters, or two (row, column)"
    return checked_spacing(value, expected)


def _stretch(contours: list[npt.NDArray[np.float64]], step: tuple[float, float]) -> float:
    """Return the factor from a length of the border in pixels to one in millimeters."""
    if step[0] == step[1]:
        return step[0]
    before = after = 0.0
    for contour in contours:
        rows, columns = np.diff(contour, axis=0).T
        before += float(np.hypot(rows, columns).sum())
        after += float(np.hypot(rows * step[0], columns * step[1]).sum())
    return after / before


def _lattice(mask: npt.NDArray[np.bool_]) -> int:
    """Return the step between the pixels that stand for all of a large lesion."""
    return max(1, int(np.ceil(np.sqrt(np.count_nonzero(mask) / _SAMPLES))))


def _asymmetries(
    mask: npt.NDArray[np.bool_],
    step: tuple[float, float],
    middle: tuple[float, float],
    angle: float,
) -> tuple[float, float]:
    """Return the share of the lesion outside of its reflection across either principal axis."""
    every = _lattice(mask)
    points = np.argwhere(mask[::every, ::every]) * every
    scale, center = np.asarray(step), np.asarray(middle)
    offsets = (points - center) * scale
    shares = []
    for axis in (angle, angle + np.pi / 2):
        direction = np.array([np.cos(axis), np.sin(axis)])
        reflected = 2 * np.outer(offsets @ direction, direction) - offsets
        rows, columns = np.rint(reflected / scale + center).astype(np.int64).T
        within = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
        covered = np.count_nonzero(mask[rows[within], columns[within]])
        shares.append(1 - int(covered) / len(points))
    return shares[0], shares[1]


def _fractal_dimension(
    contours: list[npt.NDArray[np.float64]], shape: tuple[int, ...]
) -> float | None:
    """Return the slope of the logarithm of the number of boxes that meet the border.

    Boxes have sides of 2, 4, 8 ... pixels, up to an eighth of the lesion; their number is the mean
    over four positions of their grid.
    """
    largest = max(shape) // 8
    sizes = [2**power for power in range(1, 31) if 2**power <= largest]
    if len(sizes) < _FEWEST_BOXES:
        return None
    steps = np.arange(4)[:, None, None] / 4  # a quarter pixel, so that few corners are missed
    border = np.concatenate(
        [(line[:-1] + steps * np.diff(line, axis=0)).reshape(-1, 2) for line in contours]
    )
    counts = []
    for size in sizes:
        rows, columns = (np.floor(border / size * 2).astype(np.int64) + 2).T
        width = max(shape) // size + 4
        counts.append(
            sum(
                len(np.unique((rows + down) // 2 * width + (columns + right) // 2))
                for down in (0, 1)
                for right in (0, 1)
            )
        )
    return float(-np.polyfit(np.log(sizes), np.log(counts), 1)[0])


def _variegation(
    mask: npt.NDArray[np.bool_], image: Image.Image | None, box: tuple[int, int, int, int]
) -> float | None:
    if image is None:
        return None
    from skimage.color import rgb2lab

    every = _lattice(mask)
    pixels = np.asarray(image.convert("RGB").crop(box))[::every, ::every][mask[::every, ::every]]
    return float(np.sqrt(rgb2lab(pixels).var(axis=0).sum()))
