import pickle
import warnings

import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection

from lesionseg.errors import InvalidDataError
from lesionseg.metrics import (
    SCORE_NAMES,
    Accuracy,
    Dice,
    ISICScore,
    Jaccard,
    PerImageMetric,
    Sensitivity,
    Specificity,
    ThresholdedJaccard,
    confusion_counts,
    pooled_scores,
    scores_from_counts,
)

CLASSES = {
    "accuracy": Accuracy,
    "sensitivity": Sensitivity,
    "specificity": Specificity,
    "jaccard": Jaccard,
    "threshold_jaccard": ThresholdedJaccard,
    "dice": Dice,
}


def random_masks(number=6, height=11, width=7, seed=0):
    """Overlapping bool masks (N, 1, H, W), the last pair empty."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand((number, 1, height, width), generator=generator) > 0.5
    prediction = truth ^ (torch.rand(truth.shape, generator=generator) > 0.85)
    prediction[-1] = truth[-1] = False
    return prediction, truth


def expected(prediction, truth, aggregation="image"):
    counts = np.array(
        [
            confusion_counts(p[0].numpy(), t[0].numpy())
            for p, t in zip(prediction, truth, strict=True)
        ]
    )
    if aggregation == "pooled":
        return pooled_scores(counts)
    return {name: values.mean() for name, values in scores_from_counts(counts).items()}


@pytest.mark.parametrize("aggregation", ["image", "pooled"])
@pytest.mark.parametrize("name", CLASSES)
def test_single_scores(name, aggregation):
    prediction, truth = random_masks()
    metric = CLASSES[name](aggregation=aggregation)
    metric.update(prediction[:4], truth[:4])
    metric.update(prediction[4:], truth[4:])
    value = metric.compute()
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected(prediction, truth, aggregation)[name], abs=1e-12)


@pytest.mark.parametrize("aggregation", ["image", "pooled"])
def test_all_scores_at_once(aggregation):
    prediction, truth = random_masks()
    score = ISICScore(aggregation=aggregation)
    score.update(prediction, truth)
    values = score.compute()
    assert tuple(values) == SCORE_NAMES
    assert all(value.shape == () and value.dtype == torch.float64 for value in values.values())
    assert {name: value.item() for name, value in values.items()} == pytest.approx(
        expected(prediction, truth, aggregation), abs=1e-12
    )


def test_threshold():
    prediction, truth = torch.zeros((2, 1, 1, 20), dtype=torch.bool).repeat(2, 1, 1, 1).split(2)
    truth[:] = True
    prediction[0, ..., :13] = True
    prediction[1, ..., :12] = True
    for threshold, value in ((0.65, 0.325), (0.7, 0.0), (0.6, 0.625)):
        metric = ThresholdedJaccard(threshold)
        metric.update(prediction, truth)
        assert metric.compute().item() == pytest.approx(value)
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 65"):
        ThresholdedJaccard(65)


def test_shapes_and_lists_agree():
    prediction, truth = random_masks()
    forms = [
        (prediction, truth),
        (prediction[:, 0], truth[:, 0]),
        (list(prediction), list(truth)),
        (list(prediction[:, 0]), truth),
    ]
    values = []
    for form in forms:
        metric = Jaccard()
        metric.update(*form)
        values.append(metric.compute().item())
    assert len(set(values)) == 1


def test_images_of_differing_sizes():
    parts = [random_masks(1, height, width, height) for height, width in ((3, 9), (12, 4), (5, 5))]
    predictions, truths = [p[0] for p, _ in parts], [t[0] for _, t in parts]
    predictions[0][0, 0] = True
    truths[0][0, :, 0] = True
    together = ISICScore()
    together.update(predictions, truths)
    single = ISICScore()
    for prediction, truth in zip(predictions, truths, strict=True):
        single.update(prediction[None], truth[None])
    assert together.compute() == single.compute()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_probabilities_over_a_half_are_lesion(dtype):
    metric = Sensitivity()
    metric.update(torch.tensor([[[0.0, 0.5, 0.51, 1.0]]], dtype=dtype), torch.ones(1, 1, 4))
    assert metric.compute().item() == 0.5


def test_grey_values_over_128_are_lesion():
    metric = Sensitivity()
    gray = torch.tensor([[[127, 128, 129, 255]]], dtype=torch.uint8)
    metric.update(gray, torch.ones(1, 1, 4, dtype=torch.int64))
    assert metric.compute().item() == 0.5


ONES = torch.ones((1, 1, 4, 4))


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (ONES.to(torch.uint8), ONES, r"pass \.bool\(\)"),
        (ONES, ONES.to(torch.uint8), r"truth of uint8.*pass \.bool\(\)"),
        (ONES * 3, ONES, "sigmoid"),
        (ONES * float("nan"), ONES, "sigmoid"),
        (ONES, ONES.long() * 255, "0/1 integers"),
        (ONES.to(torch.complex64), ONES, "complex"),
        (ONES[0, 0], ONES, r"\(N, 1, H, W\)"),
        (ONES.expand(1, 3, 4, 4), ONES, r"\(N, 1, H, W\)"),
        ([ONES], [ONES], r"\(1, H, W\)"),
        ([ONES[0].numpy()], ONES, "tensors"),
        (ONES, ONES[..., 1:], "truth's size"),
        ([ONES[0]], [ONES[0, :, 1:]], "truth's size"),
        (ONES.expand(2, 1, 4, 4), ONES, "same number of masks, got 2 and 1"),
        (ONES[..., :0], ONES[..., :0], "no pixels"),
    ],
)
def test_unusable_masks_are_refused_and_not_counted(prediction, truth, message):
    metric = Jaccard()
    with pytest.raises(ValueError, match=message):
        metric.update(prediction, truth)
    metric.update(ONES, ONES, ids=["good"])
    assert metric.table().ids == ("good",)


def test_an_empty_grey_mask_is_no_mistake():
    metric = Jaccard()
    metric.update(torch.zeros((1, 4, 4), dtype=torch.uint8), torch.zeros((1, 4, 4)))
    assert metric.compute().item() == 1


def test_repeated_ids_are_scored_once():
    prediction, truth = random_masks()
    ids = [f"ISIC_{index:07d}" for index in range(6)]
    metric = ISICScore()
    metric.update(prediction[:4], truth[:4], ids[:4])
    metric.update(prediction[2:], truth[2:], ids[2:])
    once = ISICScore()
    once.update(prediction, truth)
    assert metric.compute() == once.compute()
    assert metric.table().ids == tuple(ids)


def test_without_ids_every_image_counts():
    prediction, truth = random_masks(2)
    metric = Jaccard()
    for _ in range(3):
        metric.update(prediction, truth)
    table = metric.table()
    assert len(table) == 6
    assert table.ids[5] == "image_000005"


def test_one_id_for_different_images_warns():
    metric = Jaccard()
    metric.update(ONES, ONES, ["a"])
    metric.update(0 * ONES, ONES, ["a"])
    with pytest.warns(UserWarning, match="a came more than once"):
        assert metric.compute().item() == 1


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b"], "2 for 1 images"),
        ("a", "a string"),
        ([""], "empty"),
        (["a\0"], "null"),
        (["ö" * 65], "130 bytes"),
        ([7], "int"),
    ],
)
def test_unusable_ids_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        Jaccard().update(ONES, ONES, ids)


def test_long_and_foreign_ids_survive():
    ids = ["ö" * 64, "皮膚/ISIC_0000001"]
    metric = Jaccard()
    metric.update(ONES.expand(2, 1, 4, 4), ONES.expand(2, 1, 4, 4), ids)
    assert metric.table().ids == tuple(ids)


@pytest.mark.parametrize("metric_class", [*CLASSES.values(), ISICScore])
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_computing_nothing_is_an_error(metric_class):
    with pytest.raises(InvalidDataError, match="no image to score"):
        metric_class().compute()
    metric = metric_class()
    metric.update([], [], [])
    metric.update(ONES[:0], ONES[:0])
    with pytest.raises(InvalidDataError, match="no image to score"):
        metric.table()


def test_a_metric_without_compute_cannot_be_built():
    with pytest.raises(TypeError, match=r"abstract method '?compute"):
        PerImageMetric()


def test_unknown_aggregation_is_refused():
    with pytest.raises(ValueError, match="'pooled'"):
        Dice(aggregation="mean")


def test_metric_life():
    prediction, truth = random_masks()
    metric = ISICScore()
    batch = metric(prediction[:2], truth[:2], ids=["a", "b"])  # forward: the batch's own score
    assert batch["dice"].item() == pytest.approx(expected(prediction[:2], truth[:2])["dice"])
    metric(prediction[2:], truth[2:], ids=["c", "d", "e", "f"])
    whole = metric.compute()
    assert whole["dice"].item() == pytest.approx(expected(prediction, truth)["dice"])
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone(), metric.to("cpu")):
        assert copy.compute() == whole
        assert copy.table().ids == tuple("abcdef")
    assert not metric.state_dict()  # nothing of it enters a checkpoint
    metric.reset()
    metric.update(ONES, ONES)
    assert metric.compute()["jaccard"].item() == 1


def test_metric_collection_shares_the_counting():
    prediction, truth = random_masks()
    ids = list("abcdef")
    collection = MetricCollection(
        {"score": ISICScore(), **{name: metric() for name, metric in CLASSES.items()}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        collection.update(prediction[:3], truth[:3], ids=ids[:3])
        collection.update(prediction[3:], truth[3:], ids=ids[3:])
        values = collection.compute()
    for name in SCORE_NAMES:
        assert values[name].item() == pytest.approx(expected(prediction, truth)[name])
    assert len(collection.compute_groups) == 1


def test_metric_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    prediction, truth = random_masks()
    here, there = ISICScore(), ISICScore().to("cuda")
    here.update(prediction, truth, list("abcdef"))
    there.update(prediction.cuda(), truth.cuda(), list("abcdef"))
    values = there.compute()
    assert values["dice"].device.type == "cuda"
    assert {k: v.item() for k, v in values.items()} == {
        k: v.item() for k, v in here.compute().items()
    }
