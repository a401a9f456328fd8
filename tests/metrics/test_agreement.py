import json
from itertools import combinations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc

from lesionseg.metrics import AnnotatorAgreement, compare_uncertainty, majority_vote, staple


def jaccard(first, second):
    return (first & second).sum() / (first | second).sum()


def band(offset, height=20, width=60, length=20):
    """A mask of full height whose Jaccard index with another is known from their offsets."""
    mask = np.zeros((height, width), bool)
    mask[:, 10 + offset : 10 + offset + length] = True
    return mask


def rows_of(agreement):
    return {row.reference: row for row in agreement.rows()}


def test_known_disagreement():
    """Bands of 20 columns that are d apart have the Jaccard index (20 - d) / (20 + d)."""
    random = np.random.default_rng(0)
    agreement = AnnotatorAgreement()
    expected, against_model = [], []
    for number in range(8):
        offsets = random.integers(0, 10, 3)
        masks = [band(offset) for offset in offsets]
        agreement.update(f"{number}", masks, ["a", "b", "c"], prediction=band(5))
        apart = [abs(int(x) - int(y)) for x, y in combinations(offsets, 2)]
        expected.append(np.mean([(20 - d) / (20 + d) for d in apart]))
        against_model.append(np.mean([(20 - d) / (20 + d) for d in np.abs(offsets - 5)]))
    row = rows_of(agreement)["another annotator"]
    assert row.images == 8
    assert row.human.mean == pytest.approx(np.mean(expected))
    assert row.model.mean == pytest.approx(np.mean(against_model))
    assert row.difference.mean == pytest.approx(np.mean(against_model) - np.mean(expected))
    assert row.human.low < row.human.mean < row.human.high
    assert agreement.pairwise() == row.human


@pytest.mark.parametrize("consensus", ["majority", "staple"])
def test_leave_one_annotator_out_by_hand(consensus):
    """An annotator's masks are all left out, also the second of an image."""
    names = ["a", "b", "a", "c"]
    masks = [band(offset) for offset in (0, 2, 4, 9)]
    model = band(3)
    agreement = AnnotatorAgreement()
    agreement.update("x", masks, names, prediction=model)
    agree = majority_vote if consensus == "majority" else lambda kept: staple(kept).mask
    human, machine = [], []
    for name in "abc":
        reference = agree([mask for mask, by in zip(masks, names, strict=True) if by != name])
        human += [jaccard(m, reference) for m, by in zip(masks, names, strict=True) if by == name]
        machine.append(jaccard(model, reference))
    assert agreement.leave_one_out(consensus).mean == pytest.approx(np.mean(human))
    row = rows_of(agreement)[
        "majority of others" if consensus == "majority" else "STAPLE of others"
    ]
    assert row.model.mean == pytest.approx(np.mean(machine))


def test_every_row_of_an_image_that_one_annotator_drew_twice():
    names = ["a", "b", "a"]
    a, b, again = masks = [band(0), band(5), band(2)]
    model = band(1)
    agreement = AnnotatorAgreement()
    agreement.update("x", masks, names, prediction=model)
    rows = rows_of(agreement)
    people = np.mean([jaccard(a, b), jaccard(again, b)])
    assert rows["same annotator"].human.mean == pytest.approx(jaccard(a, again))
    assert rows["b"].human.mean == pytest.approx(people)
    assert rows["b"].model.mean == pytest.approx(jaccard(model, b))
    assert rows["a"].human.mean == pytest.approx(people)
    assert rows["a"].model.mean == pytest.approx(
        np.mean([jaccard(model, a), jaccard(model, again)])
    )
    assert rows["majority of all"].human is None
    assert rows["majority of all"].model.mean == pytest.approx(jaccard(model, majority_vote(masks)))
    assert rows["STAPLE of all"].model.mean == pytest.approx(jaccard(model, staple(masks).mask))
    assert list(rows)[:2] == ["another annotator", "same annotator"]


def test_model_and_people_are_compared_on_the_same_images():
    agreement = AnnotatorAgreement()
    agreement.update("two", [band(0), band(4)], ["a", "b"], prediction=band(0))
    agreement.update("one", [band(0)], ["a"], prediction=band(10))  # nobody to compare with
    rows = rows_of(agreement)
    assert rows["a"].images == 1
    assert rows["a"].model.mean == 1
    assert rows["majority of all"].images == 2


def test_images_count_the_same_whatever_their_number_of_masks_and_order():
    many = [band(offset) for offset in (0, 1, 2, 3, 4)], list("abcde")
    few = [band(0), band(8)], ["a", "b"]
    first, second = AnnotatorAgreement("dice"), AnnotatorAgreement("dice")
    for agreement, images in ((first, (many, few)), (second, (few, many))):
        for number, (masks, names) in enumerate(images):
            agreement.update(f"{number}", masks, names)
    single = AnnotatorAgreement("dice")
    single.update("x", *many)
    value = (single.pairwise().mean + 12 / 20) / 2
    assert first.pairwise().mean == pytest.approx(value)
    assert first.render() == second.render()
    assert max(map(len, first.render().splitlines())) <= 88


def test_no_pair_no_ceiling():
    agreement = AnnotatorAgreement()
    agreement.update("x", [band(0)], ["a"])
    assert agreement.pairwise() is None
    assert agreement.leave_one_out() is None
    assert agreement.rows() == []
    assert agreement.uncertainty() == {}


def test_uncertainty_against_torchmetrics_and_numpy():
    random = np.random.default_rng(0)
    masks = np.array([band(offset) for offset in (0, 3, 5)])
    uncertainty = random.integers(0, 5, masks[0].shape) / 4 + masks.std(0)  # with ties
    found = compare_uncertainty(uncertainty, masks)
    disputed = masks.any(0) & ~masks.all(0)
    auroc = binary_auroc(
        torch.from_numpy(uncertainty.ravel() / uncertainty.max()),
        torch.from_numpy(disputed.ravel()).long(),
    )
    assert found["auroc"] == pytest.approx(float(auroc))
    share = np.mean([first != second for first, second in combinations(masks, 2)], 0)
    expected = np.corrcoef(uncertainty.ravel(), share.ravel())[0, 1]
    assert found["correlation"] == pytest.approx(expected)


def test_uncertainty_over_images_and_where_nobody_disagrees():
    agreement = AnnotatorAgreement()
    for number, apart in enumerate((0, 2, 5, 9)):
        masks = [band(0), band(apart)]
        spread = np.where(masks[0] != masks[1], 1.0, 0.1)
        agreement.update(f"{number}", masks, ["a", "b"], masks[0], spread)
    found = agreement.uncertainty()
    assert found["auroc"].mean == 1  # of three images; the first has no disputed pixel
    assert found["images"] == pytest.approx(1)
    assert "AUROC 1.000" in agreement.render_uncertainty()
    content = json.loads(agreement.to_json())
    assert content["uncertainty"]["auroc"] == [1, 1, 1]
    assert content["rows"][0]["reference"] == "another annotator"
    assert all(
        np.isnan(v) for v in compare_uncertainty(np.ones((4, 4)), np.ones((2, 4, 4))).values()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotators": ["a"]}, "2 names, one for each mask, got 1"),
        ({"prediction": np.zeros((3, 3))}, "one shape"),
        ({"uncertainty": np.zeros((3, 3))}, "the masks' shape"),
        ({"id": "x"}, "'x' again"),
    ],
)
def test_what_does_not_fit(change, message):
    agreement = AnnotatorAgreement()
    agreement.update("x", [band(0)], ["a"])
    given = {"id": "y", "masks": [band(0), band(1)], "annotators": ["a", "b"], **change}
    with pytest.raises(ValueError, match=message):
        agreement.update(**given)


def test_unknown_names():
    with pytest.raises(ValueError, match="expected score to be one of accuracy"):
        AnnotatorAgreement("iou")
    with pytest.raises(ValueError, match="majority or staple"):
        AnnotatorAgreement().leave_one_out("mean")
