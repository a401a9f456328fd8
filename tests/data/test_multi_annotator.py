import numpy as np
import pytest
from PIL import Image

from lesionseg.data import MultiAnnotatorDataset, collate_samples
from lesionseg.errors import DatasetNotFoundError, InvalidDataError
from lesionseg.metrics import majority_vote, staple

# Rows of IMAplusplus_multiannotator_subset_seg_metadata.csv in github.com/sfu-mial/IMAplusplus.
IMAPP = """\
ISIC_id,img_filename,seg_filename,annotator,tool,skill_level,mskObjectID,mask_md5
ISIC_0000004,ISIC_0000004.JPG,ISIC_0000004_A04_T1_S2_545d08aabae47821f8802550.png,A04,T1,S2,545d08aabae47821f8802550,ad1d0b9618b9fa5649b2d8f6b2507eda
ISIC_0000004,ISIC_0000004.JPG,ISIC_0000004_A06_T1_S1_54ea8ac3bae47871b5e00cd2.png,A06,T1,S1,54ea8ac3bae47871b5e00cd2,8115f9c1573e8d9a962ecb46d28ef16a
ISIC_0000013,ISIC_0000013.JPG,ISIC_0000013_A03_T1_S1_57be07fe9fc3c1434763a313.png,A03,T1,S1,57be07fe9fc3c1434763a313,b62867e7ed0cf958750f72e5faac1f00
ISIC_0000013,ISIC_0000013.JPG,ISIC_0000013_A02_T3_S1_57c046d59fc3c158f2bd0e1e.png,A02,T3,S1,57c046d59fc3c158f2bd0e1e,99ef91fd01e2928aae336647bfd780e8
ISIC_0000013,ISIC_0000013.JPG,ISIC_0000013_A04_T3_S1_545cf086bae47821f88024e4.png,A04,T3,S1,545cf086bae47821f88024e4,01663de96442768404f64b6f010b453d
ISIC_0000005,ISIC_0000005.JPG,ISIC_0000005_A04_T3_S1_545d0702bae47821f8802544.png,A04,T3,S1,545d0702bae47821f8802544,dd6ea3b9d4433cd2224ae159f4bc4236
ISIC_0036170,ISIC_0036170.JPG,ISIC_0036170_ST_ST_ST_ST.png,ST,ST,ST,ST,254096eea9a81c461a4958076be38465
ISIC_0036170,ISIC_0036170.JPG,ISIC_0036170_MV_MV_MV_MV.png,MV,MV,MV,MV,254096eea9a81c461a4958076be38465
"""


def write_mask(path, right, size=(30, 40)):
    mask = np.zeros(size, np.uint8)
    mask[5:25, 10:right] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def write_image(path, size=(30, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], "tan").save(path, "JPEG" if path.suffix == ".JPG" else None)


@pytest.fixture
def imapp(tmp_path):
    """IMA++ as its scripts and table lay it out."""
    table = tmp_path / "IMAplusplus_seg_metadata.csv"
    table.write_text(IMAPP)
    for number, line in enumerate(IMAPP.splitlines()[1:]):
        id_, image, mask, *_ = line.split(",")
        write_mask(tmp_path / "segs" / mask, 20 + 2 * number)
        if id_ != "ISIC_0036170":
            write_image(tmp_path / "images" / image)
    return tmp_path


def open_imapp(root, **arguments):
    return MultiAnnotatorDataset(
        root / "images", root / "segs", root / "IMAplusplus_seg_metadata.csv", **arguments
    )


def test_the_layout_of_imapp(imapp):
    data = open_imapp(imapp, size=(30, 40))
    assert data.ids == ["ISIC_0000004", "ISIC_0000005", "ISIC_0000013"]
    assert data.annotators == ["A02", "A03", "A04", "A06"]  # without ST and MV
    assert data[2]["annotators"] == ("A03", "A02", "A04")
    assert data[2]["masks"].shape == (3, 30, 40)
    assert data.annotations["ISIC_0000004"][0].details["skill_level"] == "S2"
    assert open_imapp(imapp, min_annotators=2).ids == ["ISIC_0000004", "ISIC_0000013"]


def test_masks_may_be_a_folder_deeper(imapp):
    (imapp / "segs").rename(imapp / "inner")
    (imapp / "outer").mkdir()
    (imapp / "inner").rename(imapp / "outer" / "segs")
    table = imapp / "IMAplusplus_seg_metadata.csv"
    assert len(MultiAnnotatorDataset(imapp / "images", imapp / "outer", table)) == 3


def test_the_images_of_filtered_rows_need_not_exist(imapp):
    (imapp / "images" / "ISIC_0000005.JPG").unlink()
    assert len(open_imapp(imapp, min_annotators=2)) == 2
    with pytest.raises(
        InvalidDataError, match=r"1 of 3 images .* are not in .*: ISIC_0000005; dow"
    ):
        open_imapp(imapp)


@pytest.mark.parametrize("consensus", ["majority", "staple"])
def test_mask_and_truth_are_the_consensus(imapp, consensus):
    data = open_imapp(imapp, size=(30, 40), with_truth=True, consensus=consensus)
    masks, names = data.read_masks("ISIC_0000013")
    agreed = majority_vote(masks) if consensus == "majority" else staple(masks).mask
    sample = data[2]
    assert names == ["A03", "A02", "A04"]
    assert ((sample["truth"].numpy() == 255) == agreed).all()
    assert (sample["mask"][0].numpy() == agreed).all()
    assert (sample["masks"].numpy() == np.array(masks)).all()
    batch = collate_samples([data[0], data[2]])
    assert batch["mask"].shape == (2, 1, 30, 40)


@pytest.mark.parametrize("form", ["{id}_{name}.png", "{id}/{name}.png", "{id}-{name}.PNG"])
def test_masks_by_name(tmp_path, form):
    for id_ in ("mole_1", "mole_1_b"):  # one id begins with the other
        write_image(tmp_path / "images" / f"{id_}.jpg")
        for name in ("ann", "bob"):
            write_mask(tmp_path / "masks" / form.format(id=id_, name=name), 30)
    data = MultiAnnotatorDataset(tmp_path / "images", tmp_path / "masks")
    assert data.ids == ["mole_1", "mole_1_b"]
    found = {id_: [a.annotator for a in group] for id_, group in data.annotations.items()}
    assert found == {"mole_1": ["ann", "bob"], "mole_1_b": ["ann", "bob"]}


def test_transforms_change_image_and_consensus_only(imapp):
    data = open_imapp(imapp).with_transforms(lambda image, mask: (1 - image, mask))
    assert set(data[0]) == {"image", "mask", "id", "size"}


def damage(root, how):
    table = root / "IMAplusplus_seg_metadata.csv"
    if how == "column":
        table.write_text(table.read_text().replace("annotator,", "reader,"))
    elif how == "mask":
        next((root / "segs").glob("ISIC_0000004_A06*")).unlink()
    elif how == "row":
        table.write_text(table.read_text() + "ISIC_0000013,,\n")
    elif how == "table":
        table.unlink()
    elif how == "only consensus":
        lines = IMAPP.splitlines()
        table.write_text("\n".join([lines[0], *lines[-2:]]))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("column", "has no column annotator, only ISIC_id, img_filename, .* it needs ISIC_id"),
        ("mask", "1 masks of .* are not in .*: ISIC_0000004_A06_T1_S1.*; extract segs.zip there"),
        ("row", "line 10 of .* is incomplete"),
        ("table", "there is no table .*; check the path"),
        ("only consensus", "lists no mask"),
    ],
)
def test_what_is_wrong_with_a_table(imapp, how, message):
    damage(imapp, how)
    with pytest.raises((InvalidDataError, DatasetNotFoundError), match=message):
        open_imapp(imapp)


def test_what_is_wrong_with_a_folder(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    write_image(images / "a.jpg")
    write_image(images / "b.jpg")
    write_mask(masks / "a_ann.png", 30)
    with pytest.raises(InvalidDataError, match=r"1 of 2 images have no mask in .*: b.jpg; name"):
        MultiAnnotatorDataset(images, masks)
    write_mask(masks / "b_ann.png", 30)
    with pytest.raises(InvalidDataError, match="2 annotators or more"):
        MultiAnnotatorDataset(images, masks, min_annotators=2)
    write_mask(masks / "b_bob.png", 30, size=(30, 50))
    data = MultiAnnotatorDataset(images, masks)
    with pytest.raises(InvalidDataError, match=r"b_bob.png is 50 x 30 .* but its image is 40 x 30"):
        data[1]
    write_mask(masks / "c_ann.png", 30)
    with pytest.raises(
        InvalidDataError, match=r"1 masks in .* belong to none of the images: c_ann"
    ):
        MultiAnnotatorDataset(images, masks)
    with pytest.raises(DatasetNotFoundError, match="nowhere does not exist"):
        MultiAnnotatorDataset(images, tmp_path / "nowhere")
    for path in masks.iterdir():
        path.unlink()
    with pytest.raises(DatasetNotFoundError, match="has no masks; check the path"):
        MultiAnnotatorDataset(images, masks)


@pytest.mark.parametrize(
    "arguments", [{"consensus": "mean"}, {"min_annotators": 0}, {"mask_threshold": 255}]
)
def test_arguments_out_of_range(imapp, arguments):
    with pytest.raises(ValueError, match=f"expected {next(iter(arguments))} to be"):
        open_imapp(imapp, **arguments)
