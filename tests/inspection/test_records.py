import numpy as np
import pytest
from conftest_inspect import lesion, save_pair, write_broken
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ExifTags, Image

from lesionseg import visualization
from lesionseg.data import PairedDataset, PH2Dataset
from lesionseg.errors import MaskValueError
from lesionseg.inspection import find_sets, inspect_data, render_report
from lesionseg.inspection.contact import load_samples
from lesionseg.inspection.page import render_page
from lesionseg.inspection.records import (
    find_set_rule,
    intersection_over_union,
    measure,
    read_records,
)


def test_every_broken_file_is_listed_and_the_others_are_measured(tmp_path):
    write_broken(tmp_path)
    records, problems = read_records(find_sets([tmp_path]))
    assert {(one.kind, one.path.name) for one in problems} == {
        ("zero bytes", "p0.jpg"),
        ("unreadable", "p1.jpg"),
        ("unreadable", "p2.png"),
        ("no mask", "p3.jpg"),
        ("no image", "p4.png"),
        ("sizes differ", "p5.png"),
        ("mask values", "p6.png"),
        ("same id twice", "p7.png"),
    }
    assert all(one.path.name in one.message for one in problems)
    assert [record.id for record in records] == [f"p{number}" for number in range(10)]
    whole = [
        record for record in records if record.fingerprint is not None and record.lesion is not None
    ]
    assert [record.id for record in whole] == ["p5", "p7", "p8", "p9"]
    assert whole[-1].size == whole[-1].lesion.size == (96, 128)
    assert whole[-1].lesion.area == 40 * 50 / (96 * 128)


def test_images_without_masks_have_no_problem(tmp_path):
    save_pair(tmp_path, None, "a", 0)
    records, problems = read_records(find_sets([tmp_path]))
    assert problems == []
    assert records[0].lesion is None


def test_a_mask_on_the_stored_pixels_of_a_sideways_image_belongs_to_it(tmp_path):
    save_pair(tmp_path, tmp_path, "a", 0, ending="_mask")
    upright, _ = read_records(find_sets([tmp_path]))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.open(tmp_path / "a.jpg").save(tmp_path / "a.jpg", quality=95, exif=exif)
    (record,), problems = read_records(find_sets([tmp_path]))
    assert problems == []
    assert record.size == record.lesion.size == (128, 96)
    assert record.lesion.area == upright[0].lesion.area
    assert not record.fingerprint.matches(upright[0].fingerprint)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.sampled_from([0, 1, 127, 128, 129, 254, 255]),
    )
)
def test_a_mask_is_measured_exactly(mask):
    measured = measure(mask)
    binary = mask > 128
    inner = np.zeros_like(binary)
    inner[1:-1, 1:-1] = True
    assert measured.size == mask.shape
    assert measured.area == pytest.approx(binary.mean())
    assert measured.touches_border == bool(binary[~inner].any())
    assert measured.gray == pytest.approx(((mask > 0) & (mask < 255)).mean())
    assert intersection_over_union(measured, measured) == 1


def test_masks_of_different_sizes_are_compared_at_one():
    large, small = lesion((256, 256), (64, 64, 128, 128)), lesion((64, 64), (16, 16, 32, 32))
    assert intersection_over_union(measure(large), measure(small)) == 1
    half = lesion((512, 512), (128, 128, 256, 192))
    assert intersection_over_union(measure(large), measure(half)) == 0.5
    empty = measure(np.zeros((9, 9), np.uint8))
    assert intersection_over_union(empty, empty) == 1
    assert intersection_over_union(empty, measure(large)) == 0


@pytest.mark.parametrize("official", [False, True])
def test_masks_of_zero_and_one_are_what_they_mean(tmp_path, official):
    images, masks = (
        tmp_path / folder
        for folder in (
            ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth")
            if official
            else ("images", "masks")
        )
    )
    lesion = np.zeros((20, 30), np.uint8)
    lesion[5:15, 10:20] = 1
    for number in range(20):
        name = f"ISIC_00122{number:02}"
        for folder, ending, pixels in (
            (images, ".jpg", np.full((20, 30, 3), 90, np.uint8)),
            (masks, "_segmentation.png", 255 * lesion if number == 13 else lesion),
        ):
            folder.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{name}{ending}")
    inspection = inspect_data(tmp_path)
    areas = [record.lesion.area for record in inspection.records if record.lesion]
    named = [problem.path.name for problem in inspection.problems if problem.kind == "mask values"]
    text, page = render_report(inspection), render_page(inspection)
    sentence = f"The masks of {inspection.sets[0].name} hold 0 and 1, lesion is 1."
    if official:
        assert len(areas) == 1
        assert len(named) == 19
    else:
        assert areas == [pytest.approx(100 / 600)] * 19
        assert named == ["ISIC_0012213_segmentation.png"]
    assert (sentence in " ".join(text.split())) == (not official)
    assert (sentence in page) == (not official)
    sample = load_samples(inspection.sets, 1, (20, 30))[0]
    assert sample["mask"].sum() == 100


def test_masks_of_several_classes_are_one_problem(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for number in range(3):
            pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    inspection = inspect_data(tmp_path)
    (problem,) = inspection.problems
    assert problem.kind == "mask values"
    assert "hold 0, 1 and 2: several classes" in problem.message
    assert not any(record.lesion for record in inspection.records)
    assert "several classes" in render_report(inspection)


def test_what_is_lesion_is_decided_on_the_masks_that_are_trained_on(tmp_path):
    """Masks without an image would outvote the others."""
    for number in range(2):
        save_pair(tmp_path / "images", tmp_path / "masks", f"p{number}", number)
    for number in range(20):
        Image.fromarray(lesion() // 255).save(tmp_path / "masks" / f"unpaired{number:02}.png")
    inspection = inspect_data(tmp_path)
    paired = [record for record in inspection.records if record.image is not None]
    assert [record.lesion.area for record in paired] == [40 * 50 / (96 * 128)] * 2
    (image_set,) = inspection.sets
    assert find_set_rule(image_set) == PairedDataset(image_set.pairs).mask_rule
    assert {record.rule.threshold for record in paired} == {128}


def test_masks_of_ph2_follow_the_official_rule_as_in_training(tmp_path):
    case = tmp_path / "PH2 Dataset images" / "IMD002"
    for ending, pixels in (("Dermoscopic_Image", lesion()), ("lesion", lesion() // 255)):
        (case / f"IMD002_{ending}").mkdir(parents=True)
        name = "IMD002.bmp" if "Image" in ending else "IMD002_lesion.bmp"
        Image.fromarray(pixels).save(case / f"IMD002_{ending}" / name)
    inspection = inspect_data(tmp_path)
    assert [problem.kind for problem in inspection.problems] == ["mask values"]
    with pytest.raises(MaskValueError) as error:
        PH2Dataset(tmp_path)[0]
    assert str(error.value) == inspection.problems[0].message


def test_the_old_names_warn(tmp_path):
    save_pair(tmp_path, None, "a", 0)
    inspection = inspect_data(tmp_path)
    (record,) = inspection.records
    with pytest.warns(DeprecationWarning, match="set_index"):
        assert record.place == 0
    with pytest.warns(DeprecationWarning, match="fingerprint"):
        assert record.look is record.fingerprint
    with pytest.warns(DeprecationWarning, match="conflicts"):
        assert inspection.strangers == ()
    with pytest.warns(DeprecationWarning, match="TRUTH_COLOR"):
        assert visualization.TRUTH_COLOUR == visualization.TRUTH_COLOR
    with pytest.raises(AttributeError):
        visualization.NO_COLOUR  # noqa: B018
