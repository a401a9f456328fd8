"""Masks of 0 and 1, and of other habits, are scored as they are meant or refused."""

import numpy as np
import pytest
from PIL import Image

from lesionseg.cli import main as cli
from lesionseg.errors import InvalidDataError
from lesionseg.scoring.predictions import score_predictions

LESION = np.zeros((20, 30), bool)
LESION[4:14, 6:18] = True
SHIFTED = np.roll(LESION, 5, axis=0)
SOFT = np.tile(np.linspace(0, 255, 30).astype(np.uint8), (20, 1))


def write_masks(folder, *masks):
    folder.mkdir()
    for number, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / f"ISIC_000000{number}_segmentation.png")
    return folder


def as_values(lesion, value):
    return np.where(lesion, np.uint8(value), np.uint8(0))


@pytest.mark.parametrize("truth_value", [1, 128, 255])
@pytest.mark.parametrize("value", [1, 2, 100, 255])
def test_masks_of_zero_and_any_number_are_scored_as_they_are_meant(
    tmp_path, caplog, truth_value, value
):
    truth = write_masks(tmp_path / "t", as_values(LESION, truth_value), as_values(LESION, 0))
    masks = write_masks(tmp_path / "p", as_values(SHIFTED, value), as_values(SHIFTED, value))
    table = score_predictions(truth, masks)
    assert table.counts.tolist() == [[60, 60, 60, 420], [0, 120, 0, 480]]
    for path, lesion in ((truth, truth_value), (masks, value)):
        sentence = f"{path} hold 0 and {lesion}, lesion is {lesion}"
        assert (sentence in caplog.text) == (lesion != 255)


def test_a_threshold_that_is_given_is_taken_for_both(tmp_path):
    truth = write_masks(tmp_path / "t", as_values(LESION, 1) + as_values(SHIFTED, 1))
    masks = write_masks(tmp_path / "p", as_values(SHIFTED, 2))
    with pytest.raises(InvalidDataError, match="hold 0, 1 and 2: several classes"):
        score_predictions(truth, masks)
    assert score_predictions(truth, masks, mask_threshold=0).counts.tolist() == [[120, 0, 60, 420]]
    assert score_predictions(truth, masks, mask_threshold=1).counts.tolist() == [[60, 60, 0, 480]]
    assert cli.main(["score", str(truth), str(masks), "--mask-threshold", "1"]) == 0
    for wrong in (-1, 255):
        with pytest.raises(ValueError, match="from 0 to 254, got"):
            score_predictions(truth, masks, mask_threshold=wrong)


@pytest.mark.parametrize("side", ["t", "p"])
def test_a_mask_unlike_the_others_is_refused(tmp_path, side):
    usual = [as_values(LESION, 255)] * 3
    for name in "tp":
        write_masks(tmp_path / name, *usual[1:], as_values(LESION, 1 if name == side else 255))
    with pytest.raises(InvalidDataError, match=r"ISIC_0000002.* holds 0 and 1, and lesion is what"):
        score_predictions(tmp_path / "t", tmp_path / "p")


def test_dark_masks_among_soft_ones_count_as_empty_as_officially(tmp_path, caplog):
    truth = write_masks(tmp_path / "t", SOFT, SOFT // 2, SOFT)
    masks = write_masks(tmp_path / "p", as_values(LESION, 255), SOFT, SOFT // 4)
    counts = score_predictions(truth, masks).counts
    lesion, soft = LESION, SOFT > 128
    none = np.zeros_like(soft)
    expected = [
        [(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()]
        for a, b in ((lesion, soft), (soft, none), (none, soft))
    ]
    assert counts.tolist() == np.array(expected).tolist()
    assert "without any value above 128 count as empty (1): ISIC_0000001" in caplog.text
    assert "without any value above 128 count as empty (1): ISIC_0000002" in caplog.text
    labels = write_masks(tmp_path / "l", as_values(LESION, 3), SOFT, as_values(LESION, 1))
    expected[0] = [0, 0, int(soft.sum()), int((~soft).sum())]
    assert score_predictions(truth, labels).counts.tolist() == np.array(expected).tolist()


def test_masks_that_are_all_empty_are_remarked_on(tmp_path, caplog):
    truth = write_masks(tmp_path / "t", as_values(LESION, 255))
    score_predictions(truth, write_masks(tmp_path / "p", as_values(LESION, 0)))
    assert f"every mask in {tmp_path / 'p'} is empty" in caplog.text
    assert f"every mask in {tmp_path / 't'}" not in caplog.text


def test_what_segment_writes_beside_a_mask_is_left_out(tmp_path):
    truth = write_masks(tmp_path / "truth", as_values(LESION, 255))
    found = write_masks(tmp_path / "found", as_values(LESION, 255))
    for ending in ("overlay.png", "probability.png", "segmentation.json", "segmentation.dcm"):
        (found / f"ISIC_0000000_{ending}").write_bytes(b"not a mask")
    assert score_predictions(truth, found).scores["jaccard"] == [1]
    (found / "ISIC_0000000.png").write_bytes(b"another")
    with pytest.raises(InvalidDataError, match="more than one prediction"):
        score_predictions(truth, found)
