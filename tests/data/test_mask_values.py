"""Masks of every habit: what is lesion in them is decided once for a data set, and said."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from lesionseg.data import FolderDataModule, FolderDataset, ISICDataset
from lesionseg.data.io import mask_values as mask_values_module
from lesionseg.data.io.mask_values import OFFICIAL, MaskRule, decide, decide_lazily, values_of
from lesionseg.errors import InvalidDataError

LESION = np.zeros((24, 32), bool)
LESION[6:18, 8:20] = True
SOFT = np.clip(np.hypot(*np.mgrid[-12:12, -16:16]) * 40, 0, 255).astype(np.uint8)


def write(folder, *masks):
    """Write images with these masks; return the folders."""
    for number, mask in enumerate(masks):
        for kind, picture in (
            ("images", Image.new("RGB", mask.shape[::-1], (200, 150, 120))),
            ("masks", Image.fromarray(np.asarray(mask))),
        ):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            picture.save(folder / kind / f"m{number:02}.png")
    return folder / "images", folder / "masks"


def two_values(lesion, background=0):
    return np.where(LESION, np.uint8(lesion), np.uint8(background))


@pytest.mark.parametrize("lesion", [1, 2, 100, 127, 128, 129, 200, 255])
def test_two_values(tmp_path, lesion):
    data = FolderDataset(*write(tmp_path, *[two_values(lesion)] * 3), (24, 32), with_truth=True)
    for sample in data:
        assert torch.equal(sample["mask"][0].bool(), torch.from_numpy(LESION))
        assert torch.equal(sample["truth"] > 128, torch.from_numpy(LESION))
    cached = data.cached(tmp_path / "cache")
    assert torch.equal(cached[0]["mask"], data[0]["mask"])
    assert torch.equal(cached[0]["truth"], data[0]["truth"])


def test_two_grey_values_and_soft_edges_keep_the_official_rule(tmp_path):
    for name, mask in (("two", two_values(255, 100)), ("soft", SOFT)):
        (sample,) = FolderDataset(*write(tmp_path / name, mask), (24, 32), with_truth=True)
        assert torch.equal(sample["mask"][0].bool(), torch.from_numpy(mask > 128))
        assert torch.equal(sample["truth"], torch.from_numpy(mask))


def test_labels_in_palettes_and_in_16_bits(tmp_path):
    images, masks = write(tmp_path, LESION, LESION)
    palette = Image.fromarray(two_values(1)).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save(masks / "m00.png")
    Image.fromarray(two_values(1).astype(np.uint16)).save(masks / "m01.png")
    for sample in FolderDataset(images, masks, (24, 32)):
        assert torch.equal(sample["mask"][0].bool(), torch.from_numpy(LESION))


CLASSES = two_values(1)
CLASSES[:3] = 2


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([CLASSES], "0, 1 and 2: several classes"),
        ([two_values(1), two_values(2)], "0, 1 and 2: several classes"),
        ([np.where(CLASSES == 1, np.uint8(255), CLASSES)], "0, 2 and 255: several classes"),
        ([np.where(CLASSES == 2, np.uint8(128), two_values(255))], "0, 128 and 255: several"),
        ([SOFT // 2], "gray values from 0 to 127: none above 128"),
        ([two_values(2, background=1)], "1 and 2: several classes"),
        ([two_values(255, background=200)], "200 and 255 and no background"),
    ],
)
def test_what_is_ambiguous_is_refused(tmp_path, masks, said):
    folders = write(tmp_path, *masks)
    with pytest.raises(InvalidDataError, match=f"{said}.*or give mask_threshold"):
        FolderDataset(*folders, (24, 32))
    with pytest.raises(InvalidDataError, match=said):
        FolderDataset(*folders, (24, 32), on_error="skip")
    threshold = int(np.median(np.unique(masks[0])))
    sample = FolderDataset(*folders, (24, 32), mask_threshold=threshold)[0]
    assert torch.equal(sample["mask"][0].bool(), torch.from_numpy(masks[0] > threshold))


@pytest.mark.parametrize(
    ("usual", "odd", "said"),
    [
        (two_values(255), two_values(1), r"m10\.png holds 0 and 1, and lesion is what lies above"),
        (two_values(255), SOFT // 2, "from 0 to 127, and lesion is what lies above 128"),
        (two_values(255), np.maximum(two_values(255), CLASSES), "holds 0, 2 and 255, unlike"),
        (two_values(1), two_values(255), r"holds 0 and 255, unlike the others \(0 and 1, lesion"),
        (two_values(1), CLASSES, r"m10\.png holds 0, 1 and 2, unlike"),
        (SOFT, two_values(1), r"m10\.png holds 0 and 1, and lesion is"),
    ],
)
def test_an_odd_mask_does_not_go_through(tmp_path, usual, odd, said):
    """It is not among those that the data set is judged by."""
    folders = write(tmp_path, *[usual] * 10, odd, *[usual] * 2)
    data = FolderDataset(*folders, (24, 32))
    assert len([data[index] for index in range(10)]) == 10
    with pytest.raises(InvalidDataError, match=said):
        data[10]
    with pytest.raises(InvalidDataError, match=said):
        data.cached(tmp_path / "cache")
    with pytest.warns(UserWarning, match=said):
        assert "m10" not in FolderDataset(*folders, (24, 32), on_error="skip").ids
    assert len(list(FolderDataset(*folders, (24, 32), mask_threshold=0))) == 13


def test_a_mask_may_be_empty_full_or_softer_than_the_others(tmp_path):
    rest = [np.zeros((24, 32), np.uint8), np.full((24, 32), 255, np.uint8), SOFT]
    assert len(list(FolderDataset(*write(tmp_path, *[two_values(255)] * 8, *rest)))) == 11


def test_masks_are_judged_by_a_few_that_are_evenly_spread():
    read = []

    def values(index):
        read.append(index)
        return (0, 1)

    assert decide_lazily(80, values, "").threshold == 0
    assert read == [0, 10, 20, 30, 40, 50, 60, 70]
    rule = decide_lazily(80, lambda index: (0, 1) if index == 77 else (0,), "")
    assert rule == MaskRule(0, (0, 1))  # empty ones say nothing
    assert decide_lazily(80, lambda index: (0,), "") == OFFICIAL

    def broken(index):
        if index < 75:
            raise InvalidDataError("broken")
        return (0, 2)

    assert decide_lazily(80, broken, "") == MaskRule(0, (0, 2))
    assert decide_lazily(0, values, "") == OFFICIAL


def test_the_more_frequent_kind_counts():
    low, high = (0, 1), (0, 255)
    assert decide([low, low, high], "").threshold == 0
    assert decide([low, high, high], "").threshold == 128
    assert decide([low, high], "").threshold == 128
    assert decide([low, low, high], "", official=True).threshold == 128
    assert decide([(0, 1, 255), (200, 255)], "", official=True).threshold == 128
    assert values_of(np.array([[3, 3], [0, 255]], np.uint8)) == (0, 3, 255)
    assert values_of(np.zeros((0, 3), np.uint8)) == ()


def test_noise_of_jpeg_is_no_class():
    assert decide([(0, 1, 2, 253, 254, 255)], "").threshold == 128
    with pytest.raises(InvalidDataError):
        decide([(0, 1, 2, 255)], "")


def test_what_was_taken_is_said_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("lesionseg.data.datasets.paired._said", set())
    caplog.set_level(logging.INFO)
    images, masks = write(tmp_path, *[two_values(1)] * 4)
    module = FolderDataModule(images, masks)
    module.setup("fit")
    module.setup("test")
    said = [message for message in caplog.messages if "masks in" in message]
    assert said == [f"The masks in {masks} hold 0 and 1, lesion is 1."]
    caplog.clear()
    FolderDataset(*write(tmp_path / "usual", two_values(255)))
    assert "masks in" not in caplog.text


def test_the_threshold_reaches_the_data_sets(tmp_path):
    images, masks = write(tmp_path, *[np.minimum(CLASSES, 3)] * 4)
    module = FolderDataModule(images, masks, test_images=images, test_masks=masks, mask_threshold=1)
    module.setup()
    for data in module.datasets.values():
        assert data[0]["mask"].sum() > 0
        assert data.mask_rule == MaskRule(1, checked=False)
    for wrong in (-1, 255):
        with pytest.raises(ValueError, match="expected mask_threshold to be 0 to 254"):
            FolderDataset(images, masks, mask_threshold=wrong)


def test_caches_of_two_thresholds_are_two(tmp_path):
    folders = write(tmp_path, *[CLASSES] * 2)
    sums = []
    for threshold in (0, 1, 0):
        data = FolderDataset(*folders, (24, 32), mask_threshold=threshold).cached(tmp_path / "c")
        sums.append(float(data[0]["mask"].sum()))
    assert sums == [(CLASSES > 0).sum(), (CLASSES > 1).sum(), (CLASSES > 0).sum()]


def test_official_masks_keep_the_official_rule(tmp_path, isic, monkeypatch):
    """They are not read in order to decide."""
    isic(2018, "train", 2)
    monkeypatch.setattr(mask_values_module, "decide", None)
    data = ISICDataset(tmp_path, 2018, "train")
    assert data.mask_rule == OFFICIAL
    assert data[0]["mask"].any()
    mask = data.pairs[0].mask
    grey = np.asarray(Image.open(mask)) // 255
    Image.fromarray(grey).save(mask)
    with pytest.raises(InvalidDataError, match="holds 0 and 1, and lesion is what lies above 128"):
        data[0]
