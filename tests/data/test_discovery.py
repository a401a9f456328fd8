"""Layouts that people have, as data sets, data modules and inspection find them."""

import numpy as np
import pytest
import torch
from conftest_isic import write_isic, write_pair
from PIL import ExifTags, Image

from lesionseg.data import FolderDataModule, FolderDataset, read_image, read_mask
from lesionseg.data.discovery.names import match_stems, strip_ending
from lesionseg.errors import DatasetNotFoundError, InvalidDataError
from lesionseg.inspection import find_sets, load_samples

SIZE = (24, 32)
NAMES = [f"ISIC_{number:07d}" for number in range(6)]


def write(root, images, masks, names="abcd"):
    """Write a pair for each name; ``{}`` in a pattern is the name."""
    for number, name in enumerate(names):
        write_pair(root / images.format(name), masks and root / masks.format(name), number=number)


def trained_pairs(module):
    """Image and mask names that a fit reads, of all its splits."""
    module.setup("fit")
    return {
        (pair.image.name, pair.mask.name)
        for role in ("train", "val")
        for pair in module.datasets[role].pairs
    }


def ham(root):
    for number, name in enumerate(NAMES):
        write_pair(
            root / f"HAM10000_images_part_{1 + number % 2}" / f"{name}.jpg",
            root / "HAM10000_segmentations_lesion_tschandl" / f"{name}_segmentation.png",
            number=number,
        )
    return root / "HAM10000_segmentations_lesion_tschandl"


LAYOUTS = {
    "folders": ("images/{}.jpg", "masks/{}.png"),
    "nnunet": ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
    "other_words": ("img/{}.JPG", "GT/{}_gt.png"),
    "camel": ("JPEGImages/{}.jpeg", "GroundTruth/{}.bmp"),
    "by_split": ("train/images/{}.jpg", "train/masks/{}_label.png"),
    "split_first": ("train_img/{}.jpg", "train_seg/{}_seg.png"),
    "split_inside": ("images/train/{}.jpg", "masks/train/{}_mask.png"),
    "two_folders": ("part1/images/{}.jpg", "part1/labels/{}.gif"),
    "beside_by_name": ("{}.jpg", "{}_mask.png"),
    "beside_by_prefix": ("image_{}.png", "mask_{}.png"),
    "beside_by_stem": ("{}.jpg", "{}.png"),
    "beside_lossless": ("{}.tif", "{}.png"),
    "waterloo": ("melanoma/{}_orig.jpg", "melanoma/{}_contour.png"),
    "masks_below": ("{}.jpg", "masks/{}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_found_alike_by_training_and_inspection(layout, tmp_path):
    images, masks = LAYOUTS[layout]
    write(tmp_path / "data", images, masks)
    expected = {(images.format(n).split("/")[-1], masks.format(n).split("/")[-1]) for n in "abcd"}
    (one,) = find_sets([tmp_path / "data"])
    assert {(one.images[id_].name, one.masks[id_].name) for id_ in one.ids} == expected
    assert not one.problems
    root = tmp_path / "data"
    assert trained_pairs(FolderDataModule(root=root, size=SIZE)) == expected
    assert trained_pairs(FolderDataModule(str(root), size=SIZE)) == expected


def test_ham10000_as_it_is_distributed(tmp_path):
    masks = ham(tmp_path)
    (one,) = find_sets([tmp_path])
    assert sorted(one.images) == sorted(one.masks) == NAMES
    parts = [str(tmp_path / f"HAM10000_images_part_{number}") for number in (1, 2)]
    expected = {(f"{name}.jpg", f"{name}_segmentation.png") for name in NAMES}
    for images in (tmp_path, parts, str(tmp_path / "HAM10000_images_part_*"), f"{parts[0][:-1]}?"):
        assert trained_pairs(FolderDataModule(images, masks, size=SIZE)) == expected
    assert trained_pairs(FolderDataModule(root=tmp_path, size=SIZE)) == expected
    with pytest.raises(InvalidDataError, match=r"3 masks in .* have no image in .*part_1"):
        FolderDataset(parts[0], masks)


def test_several_folders_of_masks_and_a_list_of_files(tmp_path):
    write(tmp_path, "x/{}.jpg", "mx/{}.png", "ab")
    write(tmp_path, "y/{}.jpg", "my/{}.png", "cd")
    folders = [tmp_path / "x", tmp_path / "y"], [tmp_path / "mx", tmp_path / "my"]
    assert FolderDataset(*folders).ids == ["a", "b", "c", "d"]
    (tmp_path / "list.txt").write_text("\ufeffy/d.jpg\n\nx/a.jpg\n", encoding="utf-8")
    assert FolderDataset(tmp_path / "list.txt", folders[1]).ids == ["d", "a"]
    assert FolderDataset(f"{tmp_path}/*/[ac].jpg", folders[1]).ids == ["a", "c"]
    with pytest.raises(DatasetNotFoundError, match=r"No images match .*nothing\*"):
        FolderDataset(f"{tmp_path}/nothing*", folders[1])


def test_splits_are_found_and_not_mixed(tmp_path):
    for split, names in (("Tr", "abcd"), ("Ts", "ef")):
        write(tmp_path, f"images{split}/{{}}_0000.png", f"labels{split}/{{}}.png", names)
    module = FolderDataModule(root=tmp_path, size=SIZE)
    module.setup()
    ids = module.split_ids()
    assert sorted(ids["train"] + ids["val"]) == [f"{name}_0000" for name in "abcd"]
    assert ids["test"] == ["e_0000", "f_0000"]
    module.setup("predict")
    assert module.datasets["predict"].ids == ids["test"]
    write(tmp_path, "images/train/{}.jpg", "masks/train/{}.png", "ab")
    write(tmp_path, "images/test/{}.jpg", "masks/test/{}.png", "cd")
    with pytest.raises(InvalidDataError, match=r"several splits \(test, train\)"):
        FolderDataset(tmp_path / "images", tmp_path / "masks")


def test_one_folder_of_masks_for_all_splits(tmp_path):
    write(tmp_path, "train_images/{}.jpg", "masks/{}.png", "abc")
    write(tmp_path, "test_images/{}.jpg", "masks/{}.png", "de")
    sets = {one.split: one for one in find_sets([tmp_path])}
    assert sorted(sets["train"].masks) == ["a", "b", "c"]
    assert sorted(sets["test"].masks) == ["d", "e"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_of_paths(encoding, delimiter, tmp_path):
    write(tmp_path, "p/{}.jpg", "q/of {}.png", "abcde")
    lines = ["Image,Mask,Split", ",,"]
    lines += [f'p/{n}.jpg,"q/of {n}.png",Training' for n in "abc"]
    lines += ["p/d.jpg,q/of d.png,valid", "p/e.jpg,q/of e.png,test"]
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(lines).replace(",", delimiter), encoding=encoding)
    module = FolderDataModule(root=table, size=SIZE)
    module.setup()
    assert module.split_ids() == {"train": ["a", "b", "c"], "val": ["d"], "test": ["e"]}
    assert module.datasets["val"].pairs[0].mask.name == "of d.png"
    assert [(one.split, one.ids) for one in find_sets([table])][1] == ("val", ["d"])
    by_role = FolderDataModule(train_images=table, val_images=table, size=SIZE)
    by_role.setup("fit")
    assert by_role.datasets["train"].ids == ["a", "b", "c"]
    module.setup("predict")
    assert module.datasets["predict"].ids == ["e"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo,mask\n1,2\n", "no column named image, only photo, mask"),
        ("", "no column named image, only nothing"),
        ("image,mask\n,b.png\n", "Line 2 of .* names no image"),
        ("image,split\na.jpg,later\n", "Line 2 of .* has the split 'later'; expected train"),
        ("image,mask\na.jpg,b.png\n", "no such image: .*a.jpg"),
        ("image\na.jpg\n", "only pairs.csv: 1 images, no masks"),
        ("image,mask\nx/a.jpg,b.png\ny/a.jpg,b.png", "same id a;"),
    ],
)
def test_a_csv_that_cannot_be_used(text, message, tmp_path):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises((InvalidDataError, DatasetNotFoundError), match=message):
        FolderDataModule(root=tmp_path / "pairs.csv", size=SIZE).setup("fit")


def test_an_error_says_what_was_found_and_what_nearly_matches(tmp_path):
    write(tmp_path, "x/{}.jpg", "y/{}_msk.png", ["lesion1", "lesion2", "lesion3", "lesion4"])
    with pytest.raises(InvalidDataError) as caught:
        FolderDataset(tmp_path / "x", tmp_path / "y")
    message = str(caught.value)
    assert "4 of 4 images have no mask" in message
    assert "found 4 images (.jpg) and 4 masks (.png)" in message
    assert message.count(".jpg and lesion") == 3
    assert "lesion1.jpg and lesion1_msk.png; lesion2.jpg and lesion2_msk.png" in message
    assert "a mask has its image's file stem, or that stem with _mask, _seg" in message
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidDataError, match="no masks"):
        FolderDataset(tmp_path / "x", tmp_path / "empty")
    with pytest.raises(InvalidDataError, match=r"4 images in .*x and no masks beside them"):
        FolderDataModule(tmp_path / "x", size=SIZE).setup("fit")
    with pytest.raises(InvalidDataError, match=r"no train images with masks .* x: 4 images, no"):
        FolderDataModule(root=tmp_path, size=SIZE).setup("fit")


def test_masks_beside_images_are_not_predicted(tmp_path):
    write(tmp_path / "a", "{}.jpg", "{}.png")
    write(tmp_path / "b", "{}.jpg", "{}_mask.png")
    for folder in "ab":
        assert FolderDataset(tmp_path / folder).ids == ["a", "b", "c", "d"]
        assert FolderDataset(tmp_path / folder, tmp_path / folder).ids == ["a", "b", "c", "d"]


def test_names_that_only_look_like_masks_are_images(tmp_path):
    write(tmp_path, "{}.jpg", None, ["left_lesion", "right_lesion", "left", "right", "arm", "leg"])
    assert len(FolderDataset(tmp_path).ids) == 6
    (one,) = find_sets([tmp_path])
    assert one.masks is None


def test_folders_of_other_tasks_are_not_paired(tmp_path):
    write(tmp_path, "ISIC2018_Task3_Training_Input/{}.jpg", None, NAMES[:2])
    write(tmp_path, "ISIC2018_Task2_Training_GroundTruth_v3/{}.png", None, ["x", "y"])
    assert sorted(one.masks is None for one in find_sets([tmp_path])) == [True, True]


def test_official_folders_as_the_root_of_a_folder_module(tmp_path):
    write_isic(tmp_path, 2018, "train", 4)
    write_isic(tmp_path, 2018, "val", 2)
    module = FolderDataModule(root=tmp_path, size=SIZE)
    module.setup("fit")
    assert [len(module.datasets[role]) for role in ("train", "val")] == [4, 2]


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a", "a"),
        ("a", "a_SEG"),
        ("a.b", "a.b-mask"),
        ("a_0000", "a"),
        ("a_0000", "a_0000"),
        ("a_0000", "a_0000_segmentation"),
        ("image-7", "mask-7"),
        ("mask_1", "mask_1_mask"),
        ("lesion_1", "lesion_1_lesion"),
    ],
)
def test_stems_that_match(image, mask):
    assert match_stems([image, "other"], [mask]) == [image]


def test_stems_that_do_not_match():
    assert match_stems(["a", "b_0001"], ["c", "b", "mask", "a_masked"]) == [None] * 4
    assert match_stems(["a_image", "a_orig"], ["a"]) == [None]  # either could be meant
    assert match_stems(["a", "a_0000"], ["a", "a_0000"]) == ["a", "a_0000"]
    assert match_stems(["a", "a_mask"], ["a_mask"]) == ["a_mask"]  # equal stems go first
    assert strip_ending("mask") == "mask"


def test_arrays_of_numpy(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    lesion = np.zeros((40, 56), bool)
    lesion[10:30, 5:40] = True
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "images" / "a.npy", image)
    np.save(tmp_path / "masks" / "a.npy", lesion)
    (sample,) = FolderDataset(tmp_path / "images", tmp_path / "masks", size=(40, 56))
    np.testing.assert_array_equal((sample["image"] * 255).byte().permute(1, 2, 0), image)
    np.testing.assert_array_equal(sample["mask"][0].bool(), lesion)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 7], [255, 1]], np.int64), [[0, 7], [255, 1]]),
        (np.array([[0.0, 0.5], [1.0, 0.999]]), [[0, 128], [255, 255]]),
        (np.array([[[0], [200]]], np.uint8), [[0, 200]]),
        (np.array([[[True, False]]]), [[255, 0]]),
        (np.array([[3.0, 200.0]], np.float32), [[3, 200]]),
    ],
)
def test_values_of_arrays(array, expected, tmp_path):
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.npy"), expected)


def test_channels_first_and_last(tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for name, array in (("last", image), ("first", image.transpose(2, 0, 1))):
        np.save(tmp_path / f"{name}.npy", array)
        np.testing.assert_array_equal(np.asarray(read_image(tmp_path / f"{name}.npy")), image)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 5, 7), np.uint8), r"shape \(2, 5, 7\); expected"),
        (np.zeros((0, 7), np.uint8), "without pixels"),
        (np.array([[-1, 2]]), "from -1 to 2; expected whole numbers"),
        (np.array([[0.5, 3.0]]), "from 0.5 to 3; expected whole numbers"),
        (np.array([[np.nan, 0.5]]), "from nan to nan"),
        (np.array([["a"]]), "array of <U1"),
        (np.array([[{}]]), "truncated or not an image"),
    ],
)
def test_arrays_that_are_no_images(array, message, tmp_path):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InvalidDataError, match=message):
        read_image(tmp_path / "a.npy")


def test_inspection_shows_the_mask_that_training_reads(tmp_path):
    image = Image.fromarray(np.full((40, 60, 3), 120, np.uint8))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    lesion = np.zeros((40, 60), np.uint8)
    lesion[5:15, 10:50] = 255  # on the stored pixels, which are shown turned
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    image.save(tmp_path / "images" / "a.jpg", exif=exif)
    Image.fromarray(lesion).save(tmp_path / "masks" / "a_gt.png")
    (trained,) = FolderDataset(tmp_path / "images", tmp_path / "masks", SIZE)
    (shown,) = load_samples(find_sets([tmp_path]), 1, SIZE)
    assert torch.equal(shown["image"], trained["image"])
    assert torch.equal(shown["mask"], trained["mask"])
    assert shown["mask"].any()


def test_nearest_misses_of_a_pattern(tmp_path):
    write(tmp_path, "x/{}.jpg", "y/{}_out.png", ["lesion1", "lesion2"])
    with pytest.raises(InvalidDataError, match=r"misses: lesion1\.jpg and lesion1_out\.png;"):
        FolderDataset(f"{tmp_path}/x/*1.jpg", tmp_path / "y")


def test_files_of_one_name_in_several_folders_are_no_masks(tmp_path):
    write(tmp_path / "x", "{}.jpg", None)
    write(tmp_path / "y", "{}.png", None)
    with pytest.raises(InvalidDataError, match="same id a;"):
        FolderDataset([tmp_path / "x", tmp_path / "y"])


def test_masks_beside_the_images_in_a_folder_named_images(tmp_path):
    write(tmp_path, "images/{}.jpg", "images/{}_mask.png")
    (one,) = find_sets([tmp_path])
    assert sorted(one.images) == sorted(one.masks) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("name", "split"), [("Val", "val"), ("test_of_devices", None)])
def test_a_path_is_of_a_split_by_its_whole_name_only(name, split, tmp_path):
    write(tmp_path / name, "images/{}.jpg", "masks/{}.png", "a")
    assert [one.split for one in find_sets([tmp_path / name])] == [split]
