"""Measures of lesions against shapes whose measures are known."""

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage.color import lab2rgb
from skimage.measure import find_contours

from lesionseg.inference.measures import measure_lesion


def ellipse(a, b, degrees=0.0, shape=(240, 320), step=(1.0, 1.0)):
    """An ellipse with half axes a and b, turned counterclockwise as seen on the screen."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    y, x = (y - shape[0] / 2) * step[0], (x - shape[1] / 2) * step[1]
    turn = math.radians(degrees)
    along = x * math.cos(turn) - y * math.sin(turn)
    across = x * math.sin(turn) + y * math.cos(turn)
    return (along / a) ** 2 + (across / b) ** 2 <= 1


def snowflake(depth, radius, shape):
    """Koch's snowflake, whose border has the dimension log 4 / log 3 = 1.26."""
    corners = [np.exp(2j * np.pi * (k / 3 + 1 / 4)) for k in (0, 1, 2, 0)]
    for _ in range(depth):
        finer = []
        for start, end in pairwise(corners):
            third = (end - start) / 3
            tip = start + third + third * np.exp(1j * np.pi / 3)
            finer += [start, start + third, tip, start + 2 * third]
        corners = [*finer, corners[-1]]
    picture = Image.new("1", shape[::-1])
    points = [(shape[1] / 2 + radius * z.real, shape[0] / 2 - radius * z.imag) for z in corners]
    ImageDraw.Draw(picture).polygon(points, fill=1)
    return np.asarray(picture)


@pytest.mark.parametrize("radius", [32, 100])
def test_a_disk(radius):
    known = measure_lesion(ellipse(radius, radius))
    assert known.area == pytest.approx(math.pi * radius**2, rel=0.01)
    assert known.area_share == known.area / (240 * 320)
    for diameter in (known.equivalent_diameter, known.major_axis, known.minor_axis):
        assert diameter == pytest.approx(2 * radius, rel=0.01)
    assert known.centroid == pytest.approx((160, 120))
    assert known.perimeter == pytest.approx(2 * math.pi * radius, rel=0.02)
    assert known.compactness == pytest.approx(1, abs=0.03)
    assert known.fractal_dimension == pytest.approx(1, abs=0.02)
    assert known.asymmetry_major < 0.01
    assert known.asymmetry_minor < 0.01
    assert (known.pieces, known.touches_border) == (1, False)


@pytest.mark.parametrize("degrees", [0, 30, 90, -60])
def test_an_ellipse(degrees):
    known = measure_lesion(ellipse(100, 40, degrees))
    assert known.major_axis == pytest.approx(200, rel=0.01)
    assert known.minor_axis == pytest.approx(80, rel=0.01)
    assert known.orientation == pytest.approx(degrees, abs=0.5)
    # Ramanujan's second formula for the perimeter
    h = (60 / 140) ** 2
    perimeter = math.pi * 140 * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
    assert known.perimeter == pytest.approx(perimeter, rel=0.03)
    assert known.compactness == pytest.approx(perimeter**2 / (4 * math.pi**2 * 4000), rel=0.06)
    assert known.fractal_dimension == pytest.approx(1, abs=0.02)
    assert max(known.asymmetry_major, known.asymmetry_minor) < 0.01


def test_a_square():
    mask = np.zeros((240, 320), bool)
    mask[20:180, 50:210] = True
    known = measure_lesion(mask)
    assert known.area == 160**2
    assert known.bounding_box == (50, 20, 210, 180)
    assert known.centroid == (129.5, 99.5)
    assert known.perimeter == pytest.approx(640, rel=0.06)
    assert known.compactness == pytest.approx(4 / math.pi, rel=0.11)
    assert known.fractal_dimension == pytest.approx(1, abs=0.02)
    assert known.major_axis == pytest.approx(4 * 160 / math.sqrt(12), rel=0.01)
    assert known.asymmetry_major == known.asymmetry_minor == 0


def test_half_a_disk_is_symmetric_about_one_axis():
    """Its own reflection across the long axis, which lies at 4 / (3 pi) radii, covers the rest."""
    mask = ellipse(100, 100)
    mask[120:] = False
    known = measure_lesion(mask)
    assert known.asymmetry_minor < 0.01
    # The part beyond twice the distance of the centroid is uncovered, and what bulges near the cut.
    distance = 4 / (3 * math.pi)
    y = np.linspace(0, 1, 100001)
    width = np.sqrt(1 - y**2)
    mirrored = 2 * distance - y
    other = np.where(mirrored >= 0, np.sqrt(np.clip(1 - mirrored**2, 0, None)), 0)
    uncovered = np.clip(width - other, 0, None).sum() / width.sum()
    assert known.asymmetry_major == pytest.approx(uncovered, abs=0.01)


def test_a_snowflake_is_fractal():
    known = measure_lesion(snowflake(5, 390, (800, 800)))
    assert known.fractal_dimension == pytest.approx(math.log(4) / math.log(3), abs=0.04)
    assert known.compactness > 10


def test_the_fractal_dimension_counts_boxes_at_four_positions():
    mask = ellipse(70, 30, 20) | ellipse(20, 65, 0)
    (border,) = find_contours(np.pad(mask, 1).astype(float), 0.5)
    steps = [np.linspace(a, b, 4, endpoint=False) for a, b in pairwise(border)]
    rows, columns = np.nonzero(mask)
    points = np.concatenate(steps) - (rows.min(), columns.min())
    sizes, counts = [2, 4, 8, 16], []
    for size in sizes:
        corners = [(down, right) for down in (0, size / 2) for right in (0, size / 2)]
        boxes = [np.unique(np.floor((points + corner) / size), axis=0) for corner in corners]
        counts.append(sum(map(len, boxes)))
    slope = np.polyfit(np.log(sizes), np.log(counts), 1)[0]
    assert measure_lesion(mask).fractal_dimension == pytest.approx(-slope, abs=1e-9)


def test_millimeters():
    known = measure_lesion(ellipse(100, 40, 30), pixel_spacing=0.05)
    pixels = measure_lesion(ellipse(100, 40, 30))
    assert pixels.area_mm2 is pixels.perimeter_mm is pixels.pixel_spacing is None
    assert known.area_mm2 == pytest.approx(known.area * 0.0025)
    left, top, right, bottom = known.bounding_box
    assert known.width_mm == pytest.approx((right - left) * 0.05)
    assert known.height_mm == pytest.approx((bottom - top) * 0.05)
    for name in ("equivalent_diameter", "major_axis", "minor_axis", "perimeter"):
        assert getattr(known, f"{name}_mm") == pytest.approx(0.05 * getattr(known, name))
        assert getattr(known, name) == getattr(pixels, name)


def test_pixels_that_are_not_square():
    """An ellipse that is a disk in millimeters."""
    known = measure_lesion(ellipse(4, 4, step=(0.1, 0.05)), pixel_spacing=(0.1, 0.05))
    assert known.major_axis == pytest.approx(160, rel=0.01)
    assert known.major_axis_mm == pytest.approx(8, rel=0.01)
    assert known.minor_axis_mm == pytest.approx(8, rel=0.01)
    assert known.area_mm2 == pytest.approx(16 * math.pi, rel=0.01)
    assert known.width_mm == pytest.approx(8, abs=0.1)
    assert known.height_mm == pytest.approx(8, abs=0.1)
    assert known.perimeter_mm == pytest.approx(8 * math.pi, rel=0.05)
    assert known.compactness == pytest.approx(1, abs=0.09)
    assert max(known.asymmetry_major, known.asymmetry_minor) < 0.01


def test_pieces_and_borders():
    mask = np.zeros((30, 40), bool)
    mask[5:10, 5:10] = mask[10, 10] = True  # touch at a corner
    assert measure_lesion(mask).pieces == 1
    mask[20, 20] = True
    assert measure_lesion(mask).pieces == 2
    for row, column in ((0, 20), (29, 20), (15, 0), (15, 39)):
        touching = mask.copy()
        touching[row, column] = True
        assert measure_lesion(touching).touches_border
    assert not measure_lesion(mask).touches_border


def test_colors():
    mask = np.zeros((40, 80), bool)
    mask[10:30, 20:60] = True
    # two colors 20 apart in CIELAB, in equal shares: each is 10 from their mean
    lab = np.full((40, 80, 3), (50.0, 10.0, 10.0))
    lab[:, 40:] = (50.0, 22.0, 26.0)
    picture = Image.fromarray((lab2rgb(lab) * 255).round().astype(np.uint8))
    assert measure_lesion(mask, picture).color_variegation == pytest.approx(10, abs=0.3)
    mask[:, 40:] = False
    assert measure_lesion(mask, picture).color_variegation == pytest.approx(0, abs=1e-6)
    assert measure_lesion(mask).color_variegation is None


def test_nothing_and_next_to_nothing():
    known = measure_lesion(np.zeros((4, 5), bool), pixel_spacing=1)
    assert (known.area, known.area_share, known.pieces, known.touches_border) == (0, 0, 0, False)
    assert known.bounding_box is known.compactness is known.area_mm2 is None
    for mask in (np.ones((1, 1), bool), np.ones((1, 7), bool), np.eye(5, dtype=bool)):
        known = measure_lesion(mask, Image.new("RGB", mask.shape[::-1]), 0.1)
        values = [value for value in known.to_dict().values() if isinstance(value, float)]
        assert np.isfinite(values).all()
        assert known.fractal_dimension is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": np.ones((2, 3, 1), bool)}, r"expected mask to be \(height, width\)"),
        ({"image": Image.new("RGB", (2, 3))}, "expected image to have the mask's size, 2 x 3"),
        ({"pixel_spacing": 0}, "expected pixel_spacing to be a positive number"),
        ({"pixel_spacing": (1, -1)}, "expected pixel_spacing to be a positive number"),
        ({"pixel_spacing": "wide"}, "expected pixel_spacing to be a positive number"),
        ({"pixel_spacing": (1, 2, 3)}, "expected pixel_spacing to be a positive number"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        measure_lesion(**{"mask": np.ones((2, 3), bool), **arguments})
