"""What a segmentation says, shows and saves."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import lesionseg
from lesionseg.errors import LesionsegError
from lesionseg.inference import Segmentation, decode_rle
from lesionseg.inference.saving import COLUMNS, FORMATS


@pytest.fixture
def result():
    mask = np.pad(np.ones((40, 60), bool), 20)
    probability = np.where(mask, 0.97, 0.01).astype(np.float32)
    photo = Image.new("RGB", (100, 80), (200, 150, 140))
    return Segmentation(mask, probability, photo, 0.1, "photos/mole & co.jpg")


def test_segment_returns_the_photograph_with_it(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (40, 30), "brown").save(path)

    def everything(image):
        return Segmentation(np.ones((30, 40), bool), np.ones((30, 40), np.float32))

    found = lesionseg.segment(path, everything, pixel_spacing=0.5)
    assert (found.name, found.file_name) == ("photo", "photo.png")
    assert found.image.getpixel((0, 0)) == (165, 42, 42)
    assert found.measures.area_mm2 == 300
    (other,) = lesionseg.segment([np.zeros((30, 40, 3), np.uint8)], everything)
    assert (other.name, other.source, other.pixel_spacing) == ("image", None, None)
    assert other.image.size == (40, 30)


def test_uncertainty_is_the_entropy():
    probability = np.array([[0.0, 0.25, 0.5, 1.0]], np.float32)
    found = Segmentation(probability > 0.5, probability).uncertainty
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[0, 0.811278, 1, 0]]), abs=1e-6)


def test_confidence_is_the_expected_jaccard_index(result):
    inside, outside = 40 * 60, 80 * 100 - 40 * 60
    expected = 0.97 * inside / (inside + 0.01 * outside)
    assert result.confidence == pytest.approx(expected)
    # the mean over masks drawn from the probabilities
    random = np.random.default_rng(0)
    scores = []
    for _ in range(20):
        truth = random.random(result.mask.shape) < result.probability
        scores.append((truth & result.mask).sum() / (truth | result.mask).sum())
    assert result.confidence == pytest.approx(np.mean(scores), abs=0.01)


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ([0, 0.95, 0.95, 0], ()),
        ([0, 0.95, 0, 0.95, 0], ("several pieces",)),
        ([0, 0, 0.95], ("touches the border",)),
        ([0, 0.89, 0], ("low confidence",)),
        ([0, 0.91, 0], ()),
        ([0, 0.4, 0], ("nothing found",)),
    ],
)
def test_reasons_for_a_second_look(values, reasons):
    probability = np.zeros((3, len(values)), np.float32)
    probability[1] = values
    assert Segmentation(probability > 0.5, probability).review == reasons


def test_it_says_what_it_is(result):
    said = repr(result)
    assert said == (
        "Segmentation(mole & co.jpg, 100 x 80 pixels, lesion 30.0% in 1 piece, confidence 0.95)"
    )
    empty = Segmentation(np.zeros((3, 4), bool), np.zeros((3, 4), np.float32))
    assert repr(empty) == "Segmentation(4 x 3 pixels, no lesion)"


def test_it_shows_itself_in_a_notebook(result):
    with Image.open(io.BytesIO(result._repr_png_())) as shown:
        assert shown.size == (100, 80)
        assert shown.getpixel((20, 20)) == (255, 0, 0)
    page = result._repr_html_()
    assert "mole &amp; co.jpg" in page
    assert "24.0 mm²" in page
    assert "http" not in page
    large = Segmentation(np.ones((900, 1200), bool), np.ones((900, 1200), np.float32))
    assert Image.open(io.BytesIO(large._repr_png_())).size == (512, 384)
    assert "Look again" in large._repr_html_()
    empty = Segmentation(np.zeros((3, 4), bool), np.zeros((3, 4), np.float32))
    assert "nothing found" in empty._repr_html_()


def test_overlay_is_on_the_photograph_or_else_on_the_probability(result):
    drawn = result.overlay((0, 255, 0), fill=0.5)
    assert drawn.getpixel((20, 20)) == (0, 255, 0)
    assert drawn.getpixel((50, 40)) == (100, 202, 70)
    assert drawn.getpixel((2, 2)) == (200, 150, 140)
    assert result.image.getpixel((50, 40)) == (200, 150, 140)  # not drawn on
    bare = Segmentation(result.mask, result.probability)
    assert bare.overlay().getpixel((50, 40)) == (247, 247, 247)
    with pytest.raises(ValueError, match="expected fill to be between 0 and 1, got 2"):
        result.overlay(fill=2)


def test_every_format_is_written(result, tmp_path):
    files = result.save(tmp_path, [kind for kind in FORMATS if kind != "dicom-seg"], "mole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f.name for f in files)
    names = {path.name: path for path in files}
    assert (np.asarray(Image.open(names["mole_segmentation.png"])) == 255 * result.mask).all()
    values = np.asarray(Image.open(names["mole_probability.png"])) / 65535
    assert values == pytest.approx(result.probability, abs=1e-4)
    assert Image.open(names["mole_overlay.png"]).getpixel((20, 20)) == (255, 0, 0)
    told = json.loads(names["mole_segmentation.json"].read_text())
    assert told["image"] == "mole & co.jpg"
    assert told["measures"]["area_mm2"] == pytest.approx(24)
    assert (decode_rle(told["mask"]) == result.mask).all()
    with names["mole_measures.csv"].open() as file:
        (row,) = csv.DictReader(file)
    assert tuple(row) == COLUMNS
    assert (row["lesion_pixels"], row["left"], row["pieces"]) == ("2400", "20", "1")
    assert float(row["area_mm2"]) == pytest.approx(24)
    assert (row["fractal_dimension"], row["review"]) == ("", "")
    assert json.loads(names["mole_coco.json"].read_text())["annotations"][0]["area"] == 2400
    result.save(tmp_path, FORMATS[:6], "mole")  # all of these are its own and may be replaced


def test_files_of_others_stay(result, tmp_path):
    (tmp_path / "mole_segmentation.json").write_text('{"mine": 1}')
    with pytest.raises(LesionsegError, match=r"mole_segmentation\.json"):
        result.save(tmp_path, "json", "mole")
    result.save(tmp_path, "json", "mole", overwrite=True)
    with pytest.raises(LesionsegError, match=r"some of mask, overlay.* got jpeg"):
        result.save(tmp_path, "mask,jpeg")
    with pytest.raises(LesionsegError, match="got none"):
        result.save(tmp_path, [])


def test_sizes_must_agree():
    mask = np.ones((3, 4), bool)
    with pytest.raises(ValueError, match=r"one shape .* got \(3, 4\) and \(4, 3\)"):
        Segmentation(mask, np.ones((4, 3), np.float32))
    with pytest.raises(ValueError, match=r"expected image to have the mask's size, 3 x 4"):
        Segmentation(mask, np.ones((3, 4), np.float32), Image.new("RGB", (3, 4)))
