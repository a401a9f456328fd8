import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from lesionseg.errors import InvalidDataError
from lesionseg.metrics import (
    BrierScore,
    CalibrationError,
    ExtendedScore,
    ExtendedTable,
    brier_score,
    calibration_error,
    hausdorff_distance,
)


def maps(number=4, height=9, width=13):
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand((number, 1, height, width), generator=generator)
    truth = torch.rand(probability.shape, generator=generator) < probability**2
    return probability, truth


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_against_torchmetrics_and_the_formula(bins):
    probability, truth = maps()
    errors, scores = calibration_error(probability, truth, bins), brier_score(probability, truth)
    for index in range(len(truth)):
        flat, lesion = probability[index].flatten(), truth[index].flatten().int()
        oracle = binary_calibration_error(flat, lesion, n_bins=bins)
        assert errors[index].item() == pytest.approx(oracle.item(), abs=1e-6)
        assert scores[index].item() == pytest.approx(
            np.mean((flat.double().numpy() - lesion.numpy()) ** 2), abs=1e-12
        )
    pooled = CalibrationError(bins, aggregation="pooled")
    pooled.update(probability, truth)
    oracle = binary_calibration_error(probability.flatten(), truth.flatten().int(), n_bins=bins)
    assert pooled.compute().item() == pytest.approx(oracle.item(), abs=1e-6)


def test_per_image_and_pooled_differ_for_differing_sizes():
    probability = [torch.full((2, 2), 0.9), torch.full((4, 8), 0.2)]
    truth = [torch.zeros(2, 2, dtype=torch.bool), torch.zeros(4, 8, dtype=torch.bool)]
    for cls, values in ((CalibrationError, (0.9, 0.2)), (BrierScore, (0.81, 0.04))):
        image, pooled = cls(), cls(aggregation="pooled")
        for metric in (image, pooled):
            metric.update(probability, truth, ids=["small", "large"])
            metric.update(probability[:1], truth[:1], ids=["small"])  # counts once
        assert image.values() == pytest.approx({"small": values[0], "large": values[1]})
        assert image.compute().item() == pytest.approx(sum(values) / 2)
        assert pooled.compute().item() == pytest.approx((4 * values[0] + 32 * values[1]) / 36)


def test_a_probability_of_one_is_in_the_last_bin():
    probability, truth = torch.tensor([[[1.0, 0.95]]]), torch.tensor([[[1, 0]]])
    assert calibration_error(probability, truth, 10).item() == pytest.approx(0.475)


def test_a_probability_between_two_bins_is_in_the_upper_bin():
    probability, truth = torch.tensor([[[0.5, 0.25]]]), torch.tensor([[[0, 1]]])
    assert calibration_error(probability, truth, 2).item() == (0.5 + 0.75) / 2  # not |0.75 - 1| / 2


def test_the_default_is_15_bins():
    probability, truth = maps()
    default, fifteen = (calibration_error(probability, truth, *bins) for bins in ((), (15,)))
    assert torch.equal(default, fifteen)
    assert not torch.equal(default, calibration_error(probability, truth, 10))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="bins to be a positive integer, got 0"):
        CalibrationError(0)
    with pytest.raises(ValueError, match=r"'image' .* or 'pooled'"):
        BrierScore(aggregation="mean")
    with pytest.raises(ValueError, match="probability to be floating point"):
        brier_score(torch.ones(1, 2, 2, dtype=torch.bool), torch.ones(1, 2, 2))
    with pytest.raises(ValueError, match=r"apply torch\.sigmoid"):
        brier_score(torch.full((1, 2, 2), 3.0), torch.ones(1, 2, 2))
    with pytest.raises(ValueError, match="truth's size"):
        calibration_error(torch.rand(1, 2, 2), torch.ones(1, 2, 3))


def test_extended_scores_and_files(tmp_path):
    probability, truth = maps()
    score = ExtendedScore(tolerance=1)
    score.update(probability, truth, probability, ids=list("dcba"))
    table = score.table()
    np.testing.assert_array_equal(
        table.scores["hausdorff_95"], hausdorff_distance(probability, truth)
    )
    np.testing.assert_allclose(
        table.scores["brier_score"], brier_score(probability, truth), rtol=1e-12
    )
    assert {name: value.item() for name, value in score.compute().items()} == table.summary()
    pooled = CalibrationError(aggregation="pooled")
    pooled.update(probability, truth)
    assert table.pooled()["calibration_error"] == pytest.approx(pooled.compute().item(), abs=1e-12)

    table.to_csv(tmp_path / "extended.csv")
    lines = (tmp_path / "extended.csv").read_text().splitlines()
    assert lines[0] == (
        "image,hausdorff_95,average_surface_distance,surface_dice,boundary_iou,brier_score,"
        "calibration_error"
    )
    assert [line[0] for line in lines[1:]] == list("dcba")
    table.reliability_to_csv(tmp_path / "reliability.csv")
    rows = np.genfromtxt(tmp_path / "reliability.csv", delimiter=",", names=True)
    assert rows["pixels"].sum() == truth.numel()
    error = (rows["pixels"] * abs(rows["mean_probability"] - rows["lesion_fraction"])).sum()
    assert error / truth.numel() == pytest.approx(table.pooled()["calibration_error"])
    assert "brier_score" in table.render()
    assert max(map(len, table.render().splitlines())) <= 80


def test_extended_scores_of_masks_have_no_reliability(tmp_path):
    _, truth = maps()
    score = ExtendedScore(spacing=0.1)
    score.update(truth, truth)
    assert list(score.compute()) == list(score.table().scores)
    assert "brier_score" not in score.compute()
    assert score.table().to_dict()["unit"] == "millimeter"
    with pytest.raises(InvalidDataError, match="score probabilities"):
        score.table().reliability_to_csv(tmp_path / "reliability.csv")
    with pytest.raises(InvalidDataError, match="at least one"):
        ExtendedTable([], np.zeros((0, 4)))
