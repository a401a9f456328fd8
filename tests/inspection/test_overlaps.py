import numpy as np
from conftest_inspect import lesion, save_pair
from conftest_isic import OFFICIAL, write_isic
from PIL import Image

from lesionseg.data import official_ids
from lesionseg.inspection import find_sets, inspect_data, render_report
from lesionseg.inspection.overlaps import find_overlaps, find_shared
from lesionseg.inspection.page import render_page
from lesionseg.inspection.sections import leak_sentences

TRAINED = official_ids(2018, "train") | official_ids(2018, "val")


def test_what_the_years_share_is_told_for_files_and_lists(tmp_path):
    shared = sorted(official_ids(2017, "train") & official_ids(2018, "train"))[:5]
    write_isic(tmp_path, 2018, "train", 5, ids=shared)
    write_isic(tmp_path, 2018, "val", 3)
    write_isic(tmp_path, 2017, "train", 5, ids=[*shared[:3], "ISIC_0000000"])
    overlaps = find_overlaps(find_sets([tmp_path]))
    of_2018 = {
        one.list_name: (one.here, one.listed, one.total)
        for one in overlaps
        if one.training == "ISIC 2018 train + val" and one.year == 2017
    }
    assert of_2018 == {
        "isic2017-train": (3, 1800, 2000),
        "isic2017-val": (None, 121, 150),
        "isic2017-test": (None, 529, 600),
    }
    sentence = next(one for one in leak_sentences(overlaps) if "on all of ISIC 2018" in one)
    assert "529 of the 600 test images of ISIC 2017" in sentence
    assert "isic2017-test" in sentence.rpartition("--data.exclude ")[2]


def test_images_of_the_archive_in_a_folder_of_ones_own(tmp_path):
    seen = sorted(official_ids(2017, "test"))[:2]
    for id_ in (*seen, "other"):
        save_pair(tmp_path / "images", None, id_, 0)
    overlaps = find_overlaps(find_sets([tmp_path]))
    found = {one.list_name: (one.here, one.listed) for one in overlaps}
    assert found["isic2017-test"] == (None, 2)
    (sentence,) = leak_sentences(overlaps)
    assert "2 of the 600 test images of ISIC 2017" in sentence


def test_test_images_alone_are_not_trained_on(tmp_path):
    write_isic(tmp_path, 2017, "test", 2)
    assert find_overlaps(find_sets([tmp_path])) == []


def test_revised_masks_are_found(tmp_path):
    ids = sorted(official_ids(2017, "train") & TRAINED)[:4]
    for year, size in ((2017, (128, 128)), (2018, (64, 64))):
        write_isic(tmp_path, year, "train", 4, ids=ids)
        folder = tmp_path / OFFICIAL[year, "train"][1]
        side = size[0]
        for number, id_ in enumerate(ids):
            # of the 2018 masks, the last two lost an eighth and a half of their height
            height = side // 2 - (side // 2 * [0, 0, 1, 4][number] // 8 if year == 2018 else 0)
            mask = lesion(size, (side // 4, side // 4, side // 4 + height, side // 2))
            Image.fromarray(mask.astype(np.uint8)).save(folder / f"{id_}_segmentation.png")
    inspection = inspect_data(tmp_path)
    (revision,) = inspection.revisions
    assert {inspection.records[index].id for index in revision[:2]} == {ids[3]}
    assert revision.iou == 0.5


def test_an_image_in_two_splits_is_a_leak(tmp_path):
    ids = [f"ISIC_000000{number}" for number in range(5)]
    parts = {"train": ids, "test": [*ids[3:], "ISIC_0000009"], "val": ["own"]}
    for part, stems in parts.items():
        for id_ in stems:
            save_pair(tmp_path / "images" / part, tmp_path / "masks" / part, id_, int(id_[-1:], 36))
    write_isic(tmp_path / "official", 2018, "train", 3, ids=ids[:3])
    write_isic(tmp_path / "official", 2018, "val", 2, ids=[ids[0], "ISIC_0000008"])
    inspection = inspect_data(tmp_path)
    names = [one.name for one in inspection.sets]
    own = tmp_path.name
    assert [(names[first], names[second], held) for first, second, held in inspection.shared] == [
        (f"{own} test", f"{own} train", tuple(ids[3:])),
        ("ISIC 2018 train", "ISIC 2018 val", (ids[0],)),
    ]
    words = " ".join(render_report(inspection).split())
    assert f"{own} train holds 2 of the images of {own} test" in words
    assert "ISIC 2018 train holds 1 of the images of ISIC 2018 val" in words
    assert "ISIC 2018 train holds 1 of the images of ISIC 2018 val" in render_page(inspection)


def test_two_copies_of_one_split_are_no_leak(tmp_path):
    for parent in ("small", "large"):
        write_isic(tmp_path / parent, 2018, "train", 3)
    assert find_shared(find_sets([tmp_path])) == []
