"""The whole inspection and its report."""

import pytest
from conftest_inspect import lesion, photo, save_pair, write_broken

from lesionseg.inspection import inspect_data, render_report


def test_sizes_areas_and_masks_are_summarised(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    boxes = {"a": (0, 0, 50, 100), "b": (10, 10, 20, 20), "c": (0, 0, 0, 0), "d": (0, 0, 100, 100)}
    for seed, (stem, box) in enumerate(boxes.items()):
        save_pair(images, masks, stem, seed, lesion((100, 100), box))
    grey = lesion((200, 300), (50, 50, 60, 60))
    grey[49, 50:60] = range(20, 120, 10)
    save_pair(images, masks, "e", 9, grey)
    (summary,) = inspect_data(tmp_path).summaries
    assert (summary.images, summary.masks, summary.usable, summary.official) == (5, 5, 5, None)
    assert summary.sizes.smallest == summary.sizes.median == (100, 100)
    assert summary.sizes.largest == (200, 300)
    assert (summary.sizes.distinct, summary.sizes.aspects) == (2, (1.0, 1.5))
    areas = summary.areas
    assert areas.quartiles == pytest.approx((0, 100 / 60000, 0.01, 0.5, 1))
    assert areas.histogram == (3, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    assert (areas.touching, areas.empty, areas.full) == (0.4, 1, 1)
    assert areas.gray_masks == 0.2
    assert areas.gray_pixels == pytest.approx(10 / 60000 / 5)


def lines_of(text):
    assert max(map(len, text.splitlines())) <= 100
    return [line.strip() for line in text.splitlines()]


def test_the_report_names_what_is_broken_and_fits_a_terminal(tmp_path, monkeypatch):
    write_broken(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    inspection = inspect_data(tmp_path.name)
    assert inspection.summaries[0][1:4] == (9, 9, 3)
    text = render_report(inspection)
    assert "Problems: 8" in lines_of(text)
    for number in range(8):
        assert f"p{number}." in text
    short = render_report(inspection, shown=1, ascii_only=True)
    assert short.isascii()
    assert "and 1 more" in lines_of(short)


def test_copies_between_training_and_test_are_told(tmp_path):
    for offset, part in ((10, "train"), (20, "test")):
        for number in range(3):
            folders = (tmp_path / kind / part for kind in ("images", "masks"))
            save_pair(*folders, f"{part}{number}", offset + number)
    photo(1).save(tmp_path / "images" / "train" / "train0.jpg")
    photo(1, (200, 200)).save(tmp_path / "images" / "test" / "test0.jpg")
    text = render_report(inspect_data(tmp_path))
    name = tmp_path.name
    words = " ".join(text.split())
    assert f"{name} train holds copies of 1 of the images of {name} test under another id" in words
    assert "their ids (train0) to a file" in words
    assert "test0 = train0" in text


def test_a_set_without_masks_or_findings(tmp_path):
    save_pair(tmp_path, None, "only", 0)
    text = render_report(inspect_data([tmp_path]))
    assert "Problems: none" in text
    assert "Lesion area" not in text
    assert "between years" not in text


@pytest.mark.slow  # reads 9728 files
def test_the_real_data_hold_what_their_readme_states(shared_data):
    inspection = inspect_data(shared_data)
    counts = {one.name: (one.images, one.masks, one.usable) for one in inspection.summaries}
    assert counts == {
        "ISIC 2016 train": (20, 20, 20),
        "ISIC 2017 train": (2000, 2000, 2000),
        "ISIC 2017 val": (150, 150, 150),
        "ISIC 2018 train": (2594, 2594, 2594),
        "ISIC 2018 val": (100, 100, 100),
    }
    assert inspection.problems == ()
    found = {
        one.list_name: (one.here, one.listed)
        for one in inspection.overlaps
        if one.training == "ISIC 2018 train + val"
    }
    assert found["isic2017-train"] == (1800, 1800)
    assert found["isic2017-val"] == (121, 121)
    assert found["isic2017-test"] == (None, 529)
    years = [
        tuple(inspection.sets[inspection.records[index].set_index].year for index in revision[:2])
        for revision in inspection.revisions
    ]
    assert years.count((2017, 2018)) == 21
    grey = {one.name: (one.areas.gray_masks, one.areas.gray_pixels) for one in inspection.summaries}
    assert grey["ISIC 2017 train"] == (0, 0)
    assert grey["ISIC 2018 train"] == (1, pytest.approx(0.0286, abs=0.0002))
    copies = [
        {inspection.records[index].id for index in group.members} for group in inspection.duplicates
    ]
    assert len(copies) == 40
    assert {"ISIC_0000171", "ISIC_0015124"} in copies  # recoloured
    assert {"ISIC_0012970", "ISIC_0012127"} in copies  # of 2017's training and validation sets
    assert inspection.conflicts == ()
    lines_of(render_report(inspection))
