import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from isic_challenge_scoring.segmentation import SegmentationScore

from lesionseg.metrics import SCORE_NAMES, confusion_counts, pooled_scores, scores_from_counts


class OraclePair:
    """What the official scorer needs of an image pair."""

    def __init__(self, prediction, truth):
        self.prediction_image, self.truth_image, self.image_id = prediction, truth, "ISIC_0000000"


def official(prediction, truth):
    return SegmentationScore([OraclePair(prediction, truth)]).macro_average.to_dict()


def ours(prediction, truth):
    scores = scores_from_counts(np.array([confusion_counts(prediction, truth)]))
    return {name: values[0] for name, values in scores.items()}


def gray(*rows):
    return np.array(rows, dtype=np.uint8)


def exactly(tp, fp, fn, tn):
    """A pair of masks with these confusion counts."""
    prediction = [255] * (tp + fp) + [0] * (fn + tn)
    truth = [255] * tp + [0] * fp + [255] * fn + [0] * tn
    return gray(prediction), gray(truth)


EMPTY, FULL = np.zeros((4, 5), np.uint8), np.full((4, 5), 255, np.uint8)
HALF = np.where(np.arange(20).reshape(4, 5) < 9, 255, 0).astype(np.uint8)
PAIRS = {
    "both empty": (EMPTY, EMPTY),
    "both full": (FULL, FULL),
    "empty truth": (HALF, EMPTY),
    "empty prediction": (EMPTY, HALF),
    "full truth": (HALF, FULL),
    "full prediction": (FULL, HALF),
    "opposite": (FULL, EMPTY),
    "threshold exactly": exactly(13, 4, 3, 7),
    "threshold exactly, large": exactly(13 * 37, 2 * 37, 5 * 37, 11),
    "just under the threshold": exactly(1299, 400, 300, 7),
    "gray 127 128 129": (gray([127, 128, 129, 255]), gray([129, 129, 129, 128])),
}


@pytest.mark.parametrize("shape", [(1500, 700), (3, 400_000), (300_001, 2)])
def test_masks_of_many_bands_are_counted_whole(shape):
    prediction, truth = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    found, lesion = prediction > 128, truth > 128
    expected = [(a & b).sum() for a in (found, ~found) for b in (lesion, ~lesion)]
    tp, fp, fn, tn = confusion_counts(prediction, truth)
    assert [tp, fp, fn, tn] == expected
    assert confusion_counts(found, truth) == (tp, fp, fn, tn)
    assert {type(count) for count in (tp, fp, fn, tn)} == {int}


@pytest.mark.parametrize("case", PAIRS)
def test_equals_the_official_scorer_in_special_cases(case):
    assert ours(*PAIRS[case]) == pytest.approx(official(*PAIRS[case]), abs=1e-12, rel=0)


def is_label_mask(mask):
    """Whether it holds one number beside 0, up to 128: probably lesion, and refused."""
    return 0 < mask.max() <= 128 and set(mask.flat) <= {0, mask.max()}


masks = (
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
    .flatmap(lambda shape: st.tuples(hnp.arrays(np.uint8, shape), hnp.arrays(np.uint8, shape)))
    .filter(lambda pair: not any(map(is_label_mask, pair)))
)


@given(masks)
@settings(max_examples=40, deadline=None)
def test_equals_the_official_scorer_on_random_grey_masks(pair):
    assert ours(*pair) == pytest.approx(official(*pair), abs=1e-12, rel=0)


@given(masks)
@settings(max_examples=40, deadline=None)
def test_bool_masks_count_as_the_grey_values_they_come_from(pair):
    prediction, truth = pair
    assert confusion_counts(prediction > 128, truth) == confusion_counts(prediction, truth > 128)


@pytest.mark.parametrize("lesion", [1, 2, 127, 128])
def test_masks_of_zero_and_a_small_number_are_refused(lesion):
    label = gray([0, lesion], [lesion, 0])
    for pair in ((label, label * 0), (label * 0, label)):
        with pytest.raises(ValueError, match=f"got only 0 and {lesion}"):
            confusion_counts(*pair)
    assert confusion_counts(gray([0, 1, 2]), gray([0, 1, 2])) == (0, 0, 0, 3)
    assert confusion_counts(gray([0, 129]), gray([0, 129])) == (1, 0, 0, 1)


counts_arrays = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.just(4)), elements=st.integers(0, 10**7)
).filter(lambda counts: (counts.sum(axis=1) > 0).all())


@given(counts_arrays)
@settings(max_examples=50, deadline=None)
def test_invariants(counts):
    scores = scores_from_counts(counts)
    assert tuple(scores) == SCORE_NAMES
    for values in scores.values():
        assert values.dtype == np.float64
        assert ((values >= 0) & (values <= 1)).all()
    jaccard = scores["jaccard"]
    np.testing.assert_allclose(scores["dice"], 2 * jaccard / (1 + jaccard), atol=1e-12)
    assert (scores["threshold_jaccard"] <= jaccard).all()

    swapped = scores_from_counts(counts[:, [0, 2, 1, 3]])  # truth and prediction exchanged
    for name in ("accuracy", "jaccard", "threshold_jaccard", "dice"):
        np.testing.assert_array_equal(scores[name], swapped[name])
    complement = scores_from_counts(counts[:, [3, 2, 1, 0]])  # both masks inverted
    np.testing.assert_array_equal(scores["specificity"], complement["sensitivity"])

    assert pooled_scores(counts) == pooled_scores(counts[::-1])
    one = pooled_scores(counts[:1])
    assert one == {name: values[0] for name, values in scores.items()}


def test_pooled_is_the_score_of_the_images_side_by_side():
    generator = np.random.default_rng(0)
    prediction, truth = generator.integers(0, 256, (2, 6, 40), dtype=np.uint8)
    parts = [slice(0, 7), slice(7, 30), slice(30, 40)]
    counts = np.array([confusion_counts(prediction[:, part], truth[:, part]) for part in parts])
    assert pooled_scores(counts) == pytest.approx(official(prediction, truth), abs=1e-12)


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (np.zeros((2, 2)), EMPTY, "prediction to be bool .* got float64"),
        (EMPTY, np.zeros((1, 4, 5), bool), r"truth to be a mask \(height, width\), got shape"),
        (EMPTY, EMPTY.T, "resize the probabilities"),
    ],
)
def test_unusable_masks_are_refused(prediction, truth, message):
    with pytest.raises(ValueError, match=message):
        confusion_counts(prediction, truth)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros(4, int), "shape"),
        (np.ones((2, 4)), "integers"),
        (np.array([[1, -1, 0, 0]]), "negative"),
        (np.zeros((1, 4), int), "without pixels"),
    ],
)
def test_unusable_counts_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        scores_from_counts(counts)


def test_pooling_nothing_is_refused():
    with pytest.raises(ValueError, match="no image"):
        pooled_scores(np.zeros((0, 4), int))


def test_formulas_and_table_need_no_torch():
    code = (
        "import sys, lesionseg.metrics.official, lesionseg.metrics.table; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there():
    import lesionseg.metrics as room

    for name in room.__all__:
        assert getattr(room, name).__name__ == name if name != "SCORE_NAMES" else SCORE_NAMES
        assert name in dir(room)
    with pytest.raises(AttributeError, match="no_such"):
        room.no_such  # noqa: B018
