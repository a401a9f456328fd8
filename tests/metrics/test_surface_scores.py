import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt

from lesionseg.metrics import (
    AverageSurfaceDistance,
    BoundaryIoU,
    HausdorffDistance,
    SurfaceDice,
    average_surface_distance,
    boundary_iou,
    hausdorff_distance,
    surface_dice,
)
from lesionseg.metrics.surface import surface_row

FUNCTIONS = {
    hausdorff_distance: HausdorffDistance,
    average_surface_distance: AverageSurfaceDistance,
    surface_dice: SurfaceDice,
    boundary_iou: BoundaryIoU,
}


def random_blobs(number=6, height=23, width=31, seed=0):
    """Pairs of irregular masks (N, H, W), some of which touch the edge of the image."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand((number, 2, height, width), generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    return smooth[:, 0] > 0.5, (smooth.mean(1) > 0.5)


def by_distance_transform(prediction, truth, spacing):
    """Both sets of distances, from a dense distance transform."""
    outlines = [mask ^ binary_erosion(mask) for mask in (prediction, truth)]
    maps = [distance_transform_edt(~outline, sampling=spacing) for outline in outlines]
    return maps[1][outlines[0]], maps[0][outlines[1]]


@pytest.mark.parametrize("spacing", [None, 0.07, (0.05, 0.2)])
def test_against_the_distance_transform(spacing):
    prediction, truth = random_blobs()
    pixel = (1, 1) if spacing is None else (spacing,) * 2 if isinstance(spacing, float) else spacing
    tolerance = 1.5 * pixel[1]
    results = {
        "h95": hausdorff_distance(prediction, truth, spacing=spacing),  # the default
        "h100": hausdorff_distance(prediction, truth, 100, spacing),
        "average": average_surface_distance(prediction, truth, spacing),
        "dice": surface_dice(prediction, truth, tolerance, spacing),
    }
    for index in range(len(truth)):
        there, back = by_distance_transform(prediction[index].numpy(), truth[index].numpy(), pixel)
        both = np.concatenate([there, back])
        expected = {
            "h95": max(np.percentile(there, 95), np.percentile(back, 95)),
            "h100": both.max(),
            "average": both.mean(),
            "dice": (both <= tolerance).mean(),
        }
        assert {name: values[index].item() for name, values in results.items()} == pytest.approx(
            expected, abs=1e-12
        )


@pytest.mark.parametrize("width", [None, 1, 3])
def test_boundary_iou_against_repeated_erosion(width):
    prediction, truth = random_blobs(height=100, width=75)  # 2 % of the diagonal is 2.5 pixels
    found = boundary_iou(prediction, truth, width)
    steps = width or max(1, round(0.02 * math.hypot(100, 75)))
    for index in range(len(truth)):
        rims = [
            mask[index].numpy()
            & ~binary_erosion(mask[index].numpy(), np.ones((3, 3)), iterations=steps)
            for mask in (prediction, truth)
        ]
        assert found[index].item() == (rims[0] & rims[1]).sum() / (rims[0] | rims[1]).sum()
    millimeters = boundary_iou(prediction, truth, steps * 0.05, spacing=0.05)
    torch.testing.assert_close(millimeters, found, rtol=0, atol=0)


def test_empty_masks():
    lesion = torch.zeros(30, 40, dtype=torch.bool)
    lesion[10:20, 10:20] = True
    empty = torch.zeros_like(lesion)
    prediction, truth = torch.stack([empty, lesion, empty]), torch.stack([empty, empty, lesion])
    for distance in (hausdorff_distance, average_surface_distance):
        assert distance(prediction, truth).tolist() == [0, 50, 50]  # the diagonal
        assert distance(prediction, truth, spacing=0.1).tolist() == pytest.approx([0, 5, 5])
    for overlap in (surface_dice, boundary_iou):
        assert overlap(prediction, truth).tolist() == [1, 0, 0]


def test_a_row_of_a_table_has_the_four_scores():
    prediction, truth = random_blobs()
    prediction[0], truth[1] = False, False
    prediction[2], truth[2] = False, False
    values = (
        hausdorff_distance(prediction, truth),
        average_surface_distance(prediction, truth),
        surface_dice(prediction, truth, 2.0),
        boundary_iou(prediction, truth),
    )
    for index, expected in enumerate(torch.stack(values, dim=1)):
        row = surface_row(prediction[index].numpy(), truth[index].numpy(), tolerance=2.0)
        assert row == pytest.approx(tuple(expected.tolist()), abs=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_classes_are_means_of_the_functions_and_count_an_id_once(function):
    prediction, truth = random_blobs()
    values = function(prediction, truth)
    assert values.dtype == torch.float64
    metric = FUNCTIONS[function]()
    metric.update(prediction[:2], truth[:2], ids=["a", "b"])
    metric.update(list(prediction[1:]), list(truth[1:]), ids=["b", "c", "d", "e", "f"])
    assert metric.values() == dict(zip("abcdef", values.tolist(), strict=True))
    assert metric.compute().item() == pytest.approx(values.mean().item())
    assert metric.higher_is_better is (function in (surface_dice, boundary_iou))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: hausdorff_distance(m, m, percentile=101), "percentile to be from 0 to 100"),
        (lambda m: surface_dice(m, m, tolerance=-1), "tolerance to be at least 0, got -1"),
        (lambda m: boundary_iou(m, m, width=0), "width to be positive or None, got 0"),
        (lambda m: average_surface_distance(m, m, spacing=0), "spacing to be the size of a pixel"),
        (lambda m: average_surface_distance(m, m, spacing=(1, 2, 3)), "got \\(1, 2, 3\\)"),
        (lambda m: surface_dice(m, m[:1]), "same number of masks, got 2 and 1"),
        (lambda m: surface_dice(m, m[:, :3]), "resize the probabilities to the truth's size"),
        (lambda m: surface_dice(m[:, :0], m[:, :0]), "no pixels"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2, 4, 4, dtype=torch.bool))


@pytest.mark.slow
def test_monai_agrees():
    metrics = pytest.importorskip("monai.metrics")
    prediction, truth = random_blobs(number=20, height=60, width=45, seed=1)
    for spacing in (None, [0.05, 0.2]):
        pair = (prediction[:, None].float(), truth[:, None].float(), True)
        ours = None if spacing is None else tuple(spacing)
        torch.testing.assert_close(
            hausdorff_distance(prediction, truth, spacing=ours).float(),
            metrics.compute_hausdorff_distance(*pair, percentile=95, spacing=spacing)[:, 0].float(),
        )
        torch.testing.assert_close(
            average_surface_distance(prediction, truth, ours).float(),
            metrics.compute_average_surface_distance(*pair, symmetric=True, spacing=spacing)[
                :, 0
            ].float(),
        )
        torch.testing.assert_close(
            surface_dice(prediction, truth, 0.3, ours).float(),
            metrics.compute_surface_dice(
                pair[0], pair[1], [0.3], include_background=True, spacing=spacing
            )[:, 0],
        )
