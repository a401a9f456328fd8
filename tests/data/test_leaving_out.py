"""on_error: what cannot be used is skipped before any split, and named."""

import os
import unicodedata
import warnings

import pytest
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from lesionseg.data import (
    FolderDataModule,
    FolderDataset,
    ISICDataModule,
    ISICDataset,
    PH2Dataset,
    load_ids,
    save_ids,
)
from lesionseg.data.datasets import skip_invalid as leaving_out
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

SIZE = (24, 32)


@pytest.fixture
def mixed(tmp_path, pair_writer):
    """Good pairs a to e among all kinds of bad ones."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    for number, name in enumerate([*"abcde", "cut", "cutmask", "nomask", "noimage", "size"]):
        pair_writer(images / f"{name}.jpg", masks / f"{name}.png", number=number)
    for path in (images / "cut.jpg", masks / "cutmask.png"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (masks / "nomask.png").unlink()
    (images / "noimage.jpg").unlink()
    Image.new("L", (9, 9)).save(masks / "size.png")
    pair_writer(images / "zero.jpg", masks / "zero.png")
    (images / "zero.jpg").write_bytes(b"")
    (images / "folder.jpg").mkdir()
    return images, masks


REASONS = {
    "cut.jpg": "truncated",
    "cutmask.jpg": "cutmask.png is truncated",
    "nomask.jpg": "no mask in",
    "noimage.png": "no image in",
    "size.jpg": "size.png is 9 x 9",
    "zero.jpg": "empty",
}


def test_what_is_left_out_is_named_with_its_reason(mixed):
    with pytest.warns(UserWarning, match="6 skipped .* 5 images remain") as caught:
        data = FolderDataset(*mixed, SIZE, on_error="skip")
    assert data.ids == list("abcde")
    lines = str(caught[0].message).splitlines()[1:]
    assert len(lines) == len(REASONS)
    for line, (name, reason) in zip(lines, sorted(REASONS.items()), strict=True):
        assert line.startswith(f"  {name}: ")
        assert reason in line
    assert [sample["id"] for sample in data] == data.ids
    with pytest.raises(InvalidDataError, match=r"1 of 10 images have no mask"):
        FolderDataset(*mixed, SIZE)


def test_the_second_time_nothing_is_read_or_said(mixed, monkeypatch, tmp_path):
    with pytest.warns(UserWarning, match="skipped"):
        first = FolderDataset(*mixed, SIZE, on_error="skip")
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(leaving_out, "read_resized", None)
        assert FolderDataset(*mixed, SIZE, True, "skip").ids == first.ids
    sound = (mixed[0] / "a.jpg").read_bytes()
    (mixed[0] / "zero.jpg").write_bytes(sound)
    (mixed[0] / "b.jpg").write_bytes(sound[:150])
    os.utime(mixed[0] / "b.jpg", ns=(1, 10**18))
    with pytest.warns(UserWarning, match=r"b\.jpg: "):
        assert FolderDataset(*mixed, SIZE, on_error="skip").ids == [*"acde", "zero"]


def test_a_list_of_files_with_a_missing_one(mixed):
    files = [mixed[0] / "a.jpg", mixed[0] / "nothing.jpg", mixed[0] / "cut.jpg"]
    with pytest.warns(UserWarning, match=r"nothing\.jpg: ") as caught:
        assert FolderDataset(files, on_error="skip").ids == ["a"]
    assert "No such file" in str(caught[0].message)
    with pytest.raises(DatasetNotFoundError, match=r"nothing\.jpg"):
        FolderDataset(files)


def test_nothing_left_and_two_of_one_name_are_errors(tmp_path, pair_writer):
    pair_writer(tmp_path / "x" / "a.jpg", tmp_path / "y" / "a.png")
    whole = (tmp_path / "x" / "a.jpg").read_bytes()
    (tmp_path / "x" / "a.jpg").write_bytes(b"")
    with pytest.raises(InvalidDataError, match=r"no image can be used, 1 .*a\.jpg: .*empty"):
        FolderDataset(tmp_path / "x", tmp_path / "y", on_error="skip")
    (tmp_path / "x" / "a.jpg").write_bytes(whole)
    pair_writer(tmp_path / "x" / "a.png", None)
    with pytest.raises(InvalidDataError, match="same id a;"):
        FolderDataset(tmp_path / "x", tmp_path / "y", on_error="skip")


def test_other_ranks_say_nothing(mixed, monkeypatch, capfd):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(FolderDataset(*mixed, SIZE, on_error="skip")) == 5
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("cached", [False, True])
def test_splits_are_of_what_is_left(mixed, tmp_path, cached):
    module = FolderDataModule(
        *mixed, size=SIZE, batch_size=2, on_error="skip", cache=tmp_path / "c" if cached else None
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module.setup("fit")
    assert sum("skipped" in str(one.message) for one in caught) == 1
    ids = module.split_ids()
    assert sorted(ids["train"] + ids["val"]) == list("abcde")
    assert next(iter(module.train_dataloader()))["mask"].shape == (2, 1, *SIZE)
    module = FolderDataModule(predict_images=mixed[0], size=SIZE, on_error="skip")
    with pytest.warns(UserWarning, match=r"2 skipped"):
        module.setup("predict")
    predicted = [id_ for batch in module.predict_dataloader() for id_ in batch["id"]]
    assert predicted == sorted([*"abcde", "cutmask", "nomask", "size"])


def test_isic(tmp_path, isic):
    ids = isic(2017, "train", 6)
    images, masks = (ISICDataset.archives[2017]["train"][k].folder for k in (0, 1))
    (tmp_path / masks / f"{ids[0]}_segmentation.png").unlink()
    (tmp_path / images / f"{ids[2]}.jpg").unlink()
    (tmp_path / images / f"{ids[3]}.jpg").write_bytes(b"no image")
    with pytest.raises(InvalidDataError, match="1 of 5 images"):
        ISICDataset(tmp_path, 2017)
    module = ISICDataModule(tmp_path, 2017, "k-fold", num_folds=3, size=SIZE, on_error="skip")
    with pytest.warns(UserWarning, match="3 skipped .* 3 images remain") as caught:
        module.setup("fit")
    for id_ in (ids[0], ids[2], ids[3]):
        assert id_ in str(caught[0].message)
    split = module.split_ids()
    assert sorted(split["train"] + split["val"]) == [ids[1], ids[4], ids[5]]


def test_ph2(tmp_path):
    for number in range(3):
        case = tmp_path / "PH2 Dataset images" / f"IMD00{number}"
        for kind in ("Dermoscopic_Image", "lesion"):
            (case / f"{case.name}_{kind}").mkdir(parents=True)
        image = Image.new("RGB", (12, 10), "tan")
        image.save(case / f"{case.name}_Dermoscopic_Image" / f"{case.name}.bmp")
        if number:
            image.convert("1").save(case / f"{case.name}_lesion" / f"{case.name}_lesion.bmp")
    with pytest.warns(UserWarning, match=r"1 skipped .*\n.*IMD000_lesion\.bmp: "):
        assert PH2Dataset(tmp_path, SIZE, on_error="skip").ids == ["IMD001", "IMD002"]


def test_on_error_is_stop_or_skip(mixed, tmp_path):
    for make in (
        lambda: FolderDataset(*mixed, on_error="ignore"),
        lambda: FolderDataModule(*mixed, on_error="ignore"),
        lambda: ISICDataModule(tmp_path, on_error="ignore"),
    ):
        with pytest.raises(ValueError, match="on_error to be stop or skip, got 'ignore'"):
            make()


def test_names_in_both_forms_of_an_accent_match(tmp_path, pair_writer):
    composed, split = (unicodedata.normalize(form, "Müller 1") for form in ("NFC", "NFD"))
    assert composed != split
    pair_writer(tmp_path / "x" / f"{split}.JPG", tmp_path / "y" / f"{composed}_mask.PNG")
    data = FolderDataset(tmp_path / "x", tmp_path / "y", SIZE)
    assert data.ids == [composed]
    assert data[0]["mask"].any()
    save_ids(tmp_path / "ids.txt", [split])
    assert load_ids(tmp_path / "ids.txt") == [composed]
