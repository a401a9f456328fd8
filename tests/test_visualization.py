import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from lesionseg.visualization import contact_sheet, draw_outline, to_picture


def test_an_outline_lies_on_the_masks_border_and_nowhere_else():
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:30, 20:50] = True
    drawn = np.asarray(draw_outline(Image.new("RGB", (60, 40)), mask, (0, 255, 0)))
    coloured = drawn[..., 1] == 255
    assert not coloured[~mask].any()
    assert coloured[10, 20:50].all()
    assert not coloured[15:25, 25:45].any()


@settings(max_examples=25, deadline=None)
@given(st.tuples(st.integers(1, 12), st.integers(1, 900)), st.booleans(), st.integers(0, 2**32 - 1))
def test_an_outline_is_what_a_minimum_filter_takes_away(size, tall, seed):
    size = size[::-1] if tall else size
    coarse = np.random.default_rng(seed).random((size[0] // 9 + 1, size[1] // 9 + 1)) > 0.4
    mask = np.kron(coarse, np.ones((9, 9), bool))[: size[0], : size[1]]
    drawn = np.asarray(draw_outline(Image.new("RGB", size[::-1]), mask, (1, 2, 3)))
    width = 2 * (max(size) // 400) + 3
    inner = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MinFilter(width))) > 0
    np.testing.assert_array_equal(drawn, (mask & ~inner)[..., None] * np.array([1, 2, 3]))


def test_an_outline_of_another_size_is_refused():
    with pytest.raises(ValueError, match="40 x 60"):
        draw_outline(Image.new("RGB", (60, 41)), np.zeros((40, 60), dtype=bool))


def test_a_tensor_becomes_its_picture():
    image = torch.tensor([0.0, 0.5, 1.0])[:, None, None].expand(3, 2, 4)
    picture = to_picture(image)
    assert picture.size == (4, 2)
    assert picture.getpixel((0, 0)) == (0, 128, 255)


def test_a_contact_sheet_holds_every_tile():
    colours = ["red", "green", "blue", "yellow", "black"]
    tiles = [(Image.new("RGB", (50, 30), colour), colour) for colour in colours]
    sheet = contact_sheet(tiles, columns=3, width=64)
    seen = {colour for _, colour in sheet.getcolors(10_000)}
    assert {(255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 0)} <= seen
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
