"""Masks of any names are scored by their stems."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from lesionseg.errors import InvalidDataError
from lesionseg.scoring.predictions import score_predictions


@pytest.fixture
def save(tmp_path):
    def write(folder, name, lesion_rows):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        mask = np.zeros((8, 6), np.uint8)
        mask[:lesion_rows] = 255
        Image.fromarray(mask).save(path)
        return path.parent

    return write


@pytest.mark.parametrize(
    ("truth", "prediction", "id_"),
    [
        ("IMD002_lesion.bmp", "IMD002_segmentation.png", "IMD002"),
        ("IMD002_lesion.bmp", "IMD002.png", "IMD002"),
        ("case_1.png", "case_1_0000_segmentation.png", "case_1"),
        ("mask_7.png", "image_7_segmentation.png", "7"),
        ("D12_contour.png", "D12_orig_segmentation.png", "D12"),
        ("cafe\u0301_gt.png", "caf\u00e9_segmentation.png", "caf\u00e9"),
    ],
)
def test_pairs_of_any_names(save, truth, prediction, id_):
    places = save("truth", truth, 4), save("prediction", prediction, 2)
    save("prediction", "unrelated.png", 1)
    (places[0] / "readme.md").write_text("?")
    table = score_predictions(*places)
    assert table.ids == (id_,)
    assert table.summary()["jaccard"] == pytest.approx(0.5)


def test_zips_of_any_names(save):
    places = []
    for folder, name in (("truth", "a_gt.png"), ("prediction", "a.png")):
        place = save(folder, name, 3)
        with zipfile.ZipFile(place.with_suffix(".zip"), "w") as archive:
            archive.write(place / name, f"inner/{name}")
        places.append(place.with_suffix(".zip"))
    assert score_predictions(*places).summary()["jaccard"] == 1


def test_what_is_missing_or_doubled_is_named(save):
    for name in ("lesion1.png", "lesion2.png", "lesion3.png"):
        truth = save("truth", name, 4)
    for name in ("lesion1.png", "lesion2_seg_v2.png", "lesion3-final.png"):
        prediction = save("prediction", name, 4)
    with pytest.raises(InvalidDataError) as caught:
        score_predictions(truth, prediction)
    message = str(caught.value)
    assert "no prediction for lesion2.png, lesion3.png, 2 of 3 images" in message
    assert "found 3 true masks and 3 predictions" in message
    assert "lesion2.png and lesion2_seg_v2.png; lesion3.png and lesion3-final.png" in message
    assert "a mask has its image's file stem" in message
    for name in ("lesion2.png", "lesion3.png", "lesion1_mask.png"):
        save("prediction", name, 4)
    with pytest.raises(InvalidDataError, match=r"more than one prediction for lesion1 \("):
        score_predictions(truth, prediction)
    save("truth", "lesion1_gt.png", 4)
    with pytest.raises(InvalidDataError, match="two true masks of lesion1,"):
        score_predictions(truth, prediction)
    (prediction / "sub").mkdir()
    for path in prediction.glob("*.png"):
        path.unlink()
    (truth / "lesion1_gt.png").unlink()
    with pytest.raises(
        InvalidDataError, match=r"no file in it is named .* or give the folder .*sub"
    ):
        score_predictions(truth, prediction)


def test_official_names_keep_the_official_rule(save):
    truth = save("truth", "ISIC_0000001_segmentation.png", 4)
    prediction = save("prediction", "any_0000001_name.png", 4)
    assert score_predictions(truth, prediction).ids == ("ISIC_0000001",)
    save("truth", "IMD002.png", 4)
    with pytest.raises(InvalidDataError, match=r"IMD002\.png in .* is not a true mask"):
        score_predictions(truth, prediction)
