"""What a new pixel of a mask is: lesion where at least half of it is."""

import numpy as np
import pytest
import torch
from PIL import Image

from lesionseg.data import resize_mask


def strip(*grey):
    return np.tile(np.array(grey, np.uint8), (3, 1))


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        # The filter weighs the six pixels around the middle one's centre symmetrically.
        (strip(255, 255, 255, 0, 0, 0), [1, 1, 0]),
        (strip(0, 0, 0, 255, 255, 255), [0, 1, 1]),
        (strip(255, 255, 0, 0, 0, 0), [1, 0, 0]),
        (strip(0, 0, 255, 0, 0, 0), [0, 0, 0]),
        (strip(0, 0, 255, 255, 0, 0), [0, 1, 0]),
        # Grey 128 is skin and 129 is lesion, as the challenge has it.
        (strip(128, 128, 128, 129, 129, 129), [0, 1, 1]),
    ],
)
def test_exactly_half_is_lesion(mask, expected):
    resized = resize_mask(mask, (3, 3))
    assert resized.dtype == torch.float32
    assert resized.tolist() == [[[float(value) for value in expected]] * 3]


def test_it_is_the_area_that_counts_and_not_one_pixel():
    mask = np.random.default_rng(0).integers(0, 2, (48, 60), dtype=np.uint8)
    whole = Image.fromarray(mask.astype(np.float32))
    share = np.asarray(whole.resize((15, 12), Image.Resampling.BILINEAR))
    clear = abs(share - 0.5) > 1e-5
    resized = resize_mask(255 * mask, (12, 15))[0].numpy()
    assert np.array_equal(resized[clear], (share > 0.5)[clear])
    assert 0.9 < clear.mean() <= 1
