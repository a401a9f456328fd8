import pytest

from lesionseg.data import FolderDataModule, ISICDataModule, ISICDataset, official_ids, save_ids
from lesionseg.errors import InvalidDataError, LesionsegError

OUT = {"ISIC_0000001", "ISIC_0000004", "ISIC_0000007"}  # of the training images
ARCHIVES = ISICDataset.archives[2018]["train"]


@pytest.fixture
def unwanted(tmp_path):
    """A file of ids: three of the training images, a validation image, one from elsewhere."""
    path = tmp_path / "unwanted.txt"
    save_ids(path, [*sorted(OUT)[:2], "isic_0000007", "ISIC_0001000", "ISIC_9999999"])
    return path


def parts_of(*arguments, **options):
    data = ISICDataModule(*arguments, **options)
    data.setup()
    return {role: set(dataset.ids) for role, dataset in data.datasets.items()}


@pytest.mark.parametrize("split", ["official", "holdout", "k-fold"])
def test_excluded_images_are_neither_trained_nor_held_out(tmp_path, isic, unwanted, split, caplog):
    ids = set(isic(2018, "train", 12))
    val = set(isic(2018, "val", 2))
    with caplog.at_level("INFO"):
        parts = parts_of(tmp_path, split=split, exclude=str(unwanted))
    assert caplog.text.count(f"3 of 12 images, those in {unwanted}") == 1
    if split == "official":  # whose validation and test images are not ours to choose
        assert parts == {"train": ids - OUT, "val": val, "test": val}
    else:
        assert parts["train"] | parts["val"] == ids - OUT
        assert not parts["train"] & parts["val"]
        assert parts["test"] == (val if split == "holdout" else parts["val"])


def test_the_split_is_as_if_the_excluded_images_had_never_been_there(tmp_path, isic, unwanted):
    isic(2018, "train", 12)
    isic(2018, "val", 2)
    options = {"split": "holdout", "limit": 4}
    excluded = parts_of(tmp_path, **options, exclude=[unwanted])
    assert len(excluded["train"]) == 4
    assert excluded != parts_of(tmp_path, **options)
    for folder in (ARCHIVES.images.folder, ARCHIVES.masks.folder):
        for path in (tmp_path / folder).iterdir():
            if path.name[:12] in OUT:
                path.unlink()
    assert excluded == parts_of(tmp_path, **options)


def test_official_lists_and_files_go_together(tmp_path, isic, unwanted):
    ids = set(isic(2018, "train", 30))
    isic(2018, "val", 2)
    parts = parts_of(tmp_path, exclude=["isic2016-test", str(unwanted)])
    out = OUT | official_ids(2016, "test")
    assert parts["train"] == ids - out
    assert len(ids & out) > 3


def test_a_list_that_takes_nothing_out_is_a_warning(tmp_path, isic):
    isic(2018, "train", 4)
    isic(2018, "val", 2)
    with pytest.warns(UserWarning, match="0 of 4 images, those in isic2018-val"):
        assert len(parts_of(tmp_path, exclude="isic2018-val")["train"]) == 4


def test_lists_that_cannot_be_excluded(tmp_path, isic):
    save_ids(tmp_path / "all.txt", isic(2018, "train", 4))
    with pytest.raises(LesionsegError, match="isic2017-tset"):
        ISICDataModule(tmp_path, exclude="isic2017-tset")
    with pytest.raises(InvalidDataError, match=r"all 4 images are in .*all\.txt; exclude less"):
        parts_of(tmp_path, split="holdout", exclude=tmp_path / "all.txt")


def test_folders_leave_out_by_stem_and_only_where_they_train(tmp_path, pair_writer, unwanted):
    stems = [*sorted(OUT)[:2], "isic_0000007", "other", "another", "1"]
    for stem in stems:
        pair_writer(tmp_path / "images" / f"{stem}.png", tmp_path / "masks" / f"{stem}.png")
    here = (tmp_path / "images", tmp_path / "masks")
    data = FolderDataModule(*here, exclude=unwanted, val_fraction=0.4)
    data.setup("fit")
    trained, held_out = (set(data.datasets[role].ids) for role in ("train", "val"))
    assert trained | held_out == {"other", "another", "1"}
    assert trained
    assert held_out
    data = FolderDataModule(*here, *here, exclude=unwanted)
    data.setup()
    assert set(data.datasets["train"].ids) == {"other", "another", "1"}
    assert set(data.datasets["val"].ids) == set(data.datasets["test"].ids) == set(stems)
