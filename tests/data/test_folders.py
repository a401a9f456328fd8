import numpy as np
import pytest
from PIL import Image

from lesionseg.data import FolderDataset, PH2Dataset
from lesionseg.errors import DatasetNotFoundError, InvalidDataError
from lesionseg.inspection import find_sets


@pytest.mark.parametrize("ending", ["", "_segmentation", "_Segmentation", "_mask", "_lesion"])
def test_pairs_by_stem(tmp_path, pair_writer, ending):
    for number, name in enumerate(["a", "b_1"]):
        pair_writer(
            tmp_path / "images" / f"{name}.jpg",
            tmp_path / "masks" / f"{name}{ending}.png",
            number=number,
        )
    (tmp_path / "images" / "notes.txt").write_text("none")
    data = FolderDataset(tmp_path / "images", tmp_path / "masks", size=(24, 32))
    assert data.ids == ["a", "b_1"]
    assert [pair.mask.stem for pair in data.pairs] == [f"a{ending}", f"b_1{ending}"]
    assert FolderDataset(tmp_path / "images")[0].keys() == {"image", "id", "size"}


def test_images_and_masks_in_one_folder(tmp_path, pair_writer):
    pair_writer(tmp_path / "a.png", tmp_path / "a_mask.png")
    data = FolderDataset(tmp_path, tmp_path)
    assert [(pair.image.name, pair.mask.name) for pair in data.pairs] == [("a.png", "a_mask.png")]


def test_list_of_files(tmp_path, pair_writer):
    for name in "abc":
        pair_writer(tmp_path / f"{name}.jpg", tmp_path / "masks" / f"{name}.png")
    data = FolderDataset([tmp_path / "c.jpg", str(tmp_path / "a.jpg")], tmp_path / "masks")
    assert data.ids == ["c", "a"]
    with pytest.raises(DatasetNotFoundError, match=r"nothing\.jpg"):
        FolderDataset([tmp_path / "nothing.jpg"])


def test_what_is_missing_is_named(tmp_path, pair_writer):
    for name in "abcde":
        pair_writer(tmp_path / "images" / f"{name}.jpg", tmp_path / "masks" / f"{name}.png")
    (tmp_path / "masks" / "b.png").unlink()
    with pytest.raises(InvalidDataError, match=r"1 of 5 images have no mask .*b\.jpg"):
        FolderDataset(tmp_path / "images", tmp_path / "masks")
    (tmp_path / "images" / "b.jpg").unlink()
    (tmp_path / "images" / "c.jpg").unlink()
    with pytest.raises(InvalidDataError, match=r"1 masks .* no image .*c\.png"):
        FolderDataset(tmp_path / "images", tmp_path / "masks")
    with pytest.raises(DatasetNotFoundError, match=r"folder of masks .*nowhere"):
        FolderDataset(tmp_path / "images", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetNotFoundError, match=r"empty has no images .*, only nothing; check"):
        FolderDataset(tmp_path / "empty")
    for name in ("a.xml", "b.xml", "README"):
        (tmp_path / "empty" / name).touch()
    with pytest.raises(DatasetNotFoundError, match=r"2 \.xml, 1 files without suffix; check"):
        FolderDataset(tmp_path / "empty")
    with pytest.raises(DatasetNotFoundError, match=r"below it, only 2 \.xml, 1 files without"):
        find_sets([tmp_path / "empty"])


def test_two_files_of_one_stem_are_an_error(tmp_path, pair_writer):
    pair_writer(tmp_path / "images" / "a.jpg", tmp_path / "masks" / "a.png")
    pair_writer(tmp_path / "images" / "b.jpg", tmp_path / "masks" / "a_mask.png")
    with pytest.raises(InvalidDataError, match=r"a\.png and .*a_mask\.png"):
        FolderDataset(tmp_path / "images", tmp_path / "masks")
    pair_writer(tmp_path / "images" / "a.png", None)
    with pytest.raises(InvalidDataError, match="same id a;"):
        FolderDataset(tmp_path / "images")


def write_ph2(root, mode):
    lesion = np.zeros((30, 40), bool)
    lesion[10:20, 10:30] = True
    for name in ("IMD002", "IMD010"):
        image = root / "PH2 Dataset images" / name / f"{name}_Dermoscopic_Image" / f"{name}.bmp"
        mask = root / "PH2 Dataset images" / name / f"{name}_lesion" / f"{name}_lesion.bmp"
        for path in (image, mask):
            path.parent.mkdir(parents=True)
        Image.new("RGB", (40, 30), (200, 150, 140)).save(image)
        Image.fromarray(lesion).convert(mode).save(mask)
    (root / "PH2_dataset.txt").write_text("table")
    return lesion


@pytest.mark.parametrize("mode", ["1", "RGB"])
def test_ph2(tmp_path, mode):
    lesion = write_ph2(tmp_path / "PH2Dataset", mode)
    inside = tmp_path / "PH2Dataset"
    for root in (tmp_path, inside, inside / "PH2 Dataset images"):
        data = PH2Dataset(root, size=(30, 40), with_truth=True)
        assert data.ids == ["IMD002", "IMD010"]
        np.testing.assert_array_equal(data[0]["mask"][0].numpy() == 1, lesion)
        np.testing.assert_array_equal(data[1]["truth"].numpy(), lesion * np.uint8(255))


def test_ph2_missing(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="request PH2 from its authors"):
        PH2Dataset(tmp_path)
    write_ph2(tmp_path, "1")
    next(tmp_path.glob("*/IMD010/*_lesion/*.bmp")).unlink()
    with pytest.raises(InvalidDataError, match=r"1 of 2 PH2 cases .*IMD010_lesion\.bmp"):
        PH2Dataset(tmp_path)
