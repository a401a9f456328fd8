from pathlib import Path

import pytest
import torch
from PIL import Image

from lesionseg.data import ISICDataset, collate_samples
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

SPLITS = [(year, split) for year, splits in ISICDataset.archives.items() for split in splits]


@pytest.mark.parametrize(("year", "split"), SPLITS)
def test_official_folders_are_read(tmp_path, isic, year, split):
    ids = isic(year, split, 4)
    data = ISICDataset(tmp_path, year, split, size=(24, 32), with_truth=True)
    assert data.ids == ids
    for index, sample in enumerate(data[i] for i in range(len(data))):
        assert sample["id"] == ids[index]
        assert sample["size"] == (40, 56)
        assert sample["image"].shape == (3, 24, 32)
        assert sample["image"].dtype == sample["mask"].dtype == torch.float32
        assert sample["image"].min() >= 0
        assert sample["image"].max() <= 1
        assert set(sample["mask"].unique().tolist()) == {0.0, 1.0}
        assert sample["truth"].shape == (40, 56)
        assert sample["truth"].dtype == torch.uint8
        # The image's red channel is its own mask; JPEG and the resize blur its border only.
        agree = (sample["image"][0] > 0.5) == (sample["mask"][0] > 0.5)
        assert agree.float().mean() > 0.95


def test_every_archive_has_an_address_and_a_checksum():
    for splits in ISICDataset.archives.values():
        for official in splits.values():
            for archive in official:
                assert archive.md5 or archive.sha256
    assert ISICDataset.url.startswith("https://")
    assert ISICDataset.citations.keys() == ISICDataset.archives.keys()


def test_truth_is_left_out_unless_asked_for(tmp_path, isic):
    isic(2018, "val", 2)
    assert ISICDataset(tmp_path, 2018, "val")[0].keys() == {"image", "mask", "id", "size"}


@pytest.mark.parametrize("gone", [0, 1])
def test_missing_folder_says_how_to_get_it(tmp_path, isic, gone):
    isic(2017, "test", 2)
    archive = ISICDataset.archives[2017]["test"][gone]
    (tmp_path / archive.folder).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetNotFoundError) as error:
        ISICDataset(tmp_path, 2017, "test")
    assert archive.folder in str(error.value)
    get = f"lesionseg download isic2017 --root {tmp_path} --splits test"
    assert get in str(error.value)


def test_images_alone_are_enough_to_predict(tmp_path, isic):
    ids = isic(2018, "test", 3, masks=False)
    assert not ISICDataset.has(tmp_path, 2018, "test")
    assert ISICDataset.has(tmp_path, 2018, "test", masks=False)
    data = ISICDataset(tmp_path, 2018, "test", masks=False, with_truth=True)
    assert data.ids == ids
    assert data[0].keys() == {"image", "id", "size"}


def test_folder_without_images_is_not_found(tmp_path, isic):
    isic(2018, "train", 0)
    with pytest.raises(DatasetNotFoundError, match="has no ISIC images"):
        ISICDataset(tmp_path, 2018, "train")


def test_images_without_masks_are_counted_and_named(tmp_path, isic):
    isic(2018, "train", 8)
    masks = tmp_path / ISICDataset.archives[2018]["train"].masks.folder
    for number in range(5):
        (masks / f"ISIC_{number:07d}_segmentation.png").unlink()
    with pytest.raises(InvalidDataError, match=r"5 of 8 images .*ISIC_0000000, .* and 2 more"):
        ISICDataset(tmp_path, 2018, "train")


def test_masks_without_image_are_counted_and_named(tmp_path, isic):
    isic(2018, "train", 4)
    images = tmp_path / ISICDataset.archives[2018]["train"].images.folder
    (images / "ISIC_0000002.jpg").unlink()
    with pytest.raises(InvalidDataError, match=r"1 of 4 masks .* no image: ISIC_0000002;"):
        ISICDataset(tmp_path, 2018, "train")


def test_two_images_of_one_id_are_an_error(tmp_path, isic):
    isic(2018, "train", 2)
    images = tmp_path / ISICDataset.archives[2018]["train"].images.folder
    Image.new("RGB", (56, 40)).save(images / "ISIC_0000000.png")
    with pytest.raises(InvalidDataError, match="same id ISIC_0000000"):
        ISICDataset(tmp_path, 2018, "train")


def test_folder_inside_a_folder_of_its_name_is_found(tmp_path, isic):
    ids = isic(2018, "val", 2)
    images = tmp_path / ISICDataset.archives[2018]["val"].images.folder
    inner = images.rename(tmp_path / "inner")
    images.mkdir()
    inner.rename(images / images.name)
    assert ISICDataset(tmp_path, 2018, "val").ids == ids


@pytest.mark.parametrize(
    ("year", "split", "message"),
    [
        (2019, "train", "2016, 2017 or 2018"),
        (2016, "val", "2016 has no validation split.*holdout"),
        (2018, "validation", "train, val or test, got 'validation'"),
    ],
)
def test_splits_that_never_were(tmp_path, year, split, message):
    with pytest.raises(ValueError, match=message):
        ISICDataset(tmp_path, year, split)


def test_mask_of_another_size_names_the_file(tmp_path, isic):
    isic(2018, "train", 1)
    masks = tmp_path / ISICDataset.archives[2018]["train"].masks.folder
    Image.new("L", (40, 56)).save(masks / "ISIC_0000000_segmentation.png")
    with pytest.raises(InvalidDataError, match=r"ISIC_0000000_segmentation\.png is 40 x 56"):
        ISICDataset(tmp_path, 2018, "train")[0]


def test_subset_and_unknown_ids(tmp_path, isic):
    ids = isic(2018, "train", 4)
    data = ISICDataset(tmp_path, 2018, "train", size=(24, 32))
    part = data.subset([ids[2], ids[0]])
    assert isinstance(part, ISICDataset)
    assert part.ids == [ids[2], ids[0]]
    assert torch.equal(part[0]["image"], data[2]["image"])
    assert len(data) == 4
    with pytest.raises(InvalidDataError, match=r"1 of 2 ids .*ISIC_9999999"):
        data.subset([ids[0], "ISIC_9999999"])


def test_collate_keeps_truth_of_differing_sizes(tmp_path, isic, pair_writer):
    isic(2018, "train", 2)
    official = ISICDataset.archives[2018]["train"]
    pair_writer(
        tmp_path / official.images.folder / "ISIC_0000000.jpg",
        tmp_path / official.masks.folder / "ISIC_0000000_segmentation.png",
        size=(60, 50),
    )
    data = ISICDataset(tmp_path, 2018, "train", size=(24, 32), with_truth=True)
    batch = collate_samples([data[0], data[1]])
    assert batch["image"].shape == (2, 3, 24, 32)
    assert batch["mask"].shape == (2, 1, 24, 32)
    assert batch["size"] == [(60, 50), (40, 56)]
    assert [tuple(truth.shape) for truth in batch["truth"]] == batch["size"]
    mixed = collate_samples([data[0], {k: v for k, v in data[1].items() if k != "truth"}])
    assert "truth" not in mixed


@pytest.mark.parametrize(
    ("folder", "year", "split", "count"),
    [
        ("isic2018-128px", 2018, "train", 2594),
        ("isic2018-128px", 2018, "val", 100),
        ("isic2017-256px", 2017, "train", 2000),
        ("isic2017-256px", 2017, "val", 150),
        ("isic2016-originals", 2016, "train", 20),
    ],
)
def test_real_images(shared_data: Path, folder, year, split, count):
    data = ISICDataset(shared_data / folder, year, split, size=(96, 128), with_truth=True)
    assert len(data) == count
    sample = data[count // 2]
    assert 0 < sample["mask"].mean() < 1
    assert sample["mask"].mean().item() == pytest.approx(
        (sample["truth"] > 128).float().mean().item(), rel=0.05
    )
    listed = {2016: "isic2016", 2017: "isic2017", 2018: "isic2018_task1"}[year]
    part = {"train": "Training", "val": "Validation"}[split] if year == 2018 else split
    official = (shared_data / "ids" / f"{listed}_{part}.txt").read_text().split()
    assert set(data.ids) <= {line.strip() for line in official}
