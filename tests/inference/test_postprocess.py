import os
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lesionseg.inference.outputs import encode_mask, save_mask, save_zip
from lesionseg.inference.postprocess import binarize, probabilities, restore_sizes


def test_probabilities_are_fp32_whatever_the_network_computes_in():
    logits = torch.tensor([[[[-6e4, 0.0, 6e4]]]], dtype=torch.float16)
    result = probabilities(logits)
    assert result.dtype == torch.float32
    assert result.flatten().tolist() == [0.0, 0.5, 1.0]


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_every_map_gets_its_images_size_and_stays_a_probability(sizes, height, width):
    maps = torch.rand(len(sizes), 1, height, width)
    restored = restore_sizes(maps, sizes)
    assert [tuple(one.shape) for one in restored] == sizes
    for one, original in zip(restored, maps, strict=True):
        assert original.min() - 1e-5 <= one.min()
        assert one.max() <= original.max() + 1e-5


def test_the_probability_is_resized_not_the_mask():
    ramp = torch.linspace(0, 1, 8).expand(1, 1, 8, 8)
    mask = binarize(restore_sizes(ramp, [(64, 64)])[0])
    # a resized 8-pixel mask would have its border at a multiple of 8 pixels
    assert mask.sum(1).unique().tolist() == [32]
    shifted = binarize(restore_sizes(ramp, [(64, 64)])[0], 0.4)
    assert shifted.sum(1).unique().item() % 8 != 0


def test_a_map_of_its_own_size_is_untouched():
    maps = torch.rand(1, 1, 5, 6)
    assert torch.equal(restore_sizes(maps, [(5, 6)])[0], maps[0, 0])


def test_sizes_must_match_maps():
    with pytest.raises(ValueError, match=r"expected sizes to be 2 pairs .* got 1"):
        restore_sizes(torch.rand(2, 1, 4, 4), [(4, 4)])


def test_gray_values_are_0_and_255():
    gray = encode_mask(np.array([[True, False]]))
    assert gray.dtype == np.uint8
    assert gray.tolist() == [[255, 0]]


@pytest.mark.parametrize("size", [(1, 1), (5, 1), (90, 1), (1, 7), (3, 2), (70, 90)])
def test_it_equals_pillow(size):
    maps = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    expected = Image.fromarray(maps[0, 0].numpy()).resize(size[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(restore_sizes(maps, [size])[0], np.asarray(expected), atol=1e-5)


def test_names_that_are_no_text_can_be_zipped(tmp_path):
    path = tmp_path / os.fsdecode(b"lat\xe9in_segmentation.png")
    save_mask(np.zeros((2, 3), bool), path)
    save_zip([path], tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == ["lat\ufffdin_segmentation.png"]
