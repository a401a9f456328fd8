from io import BytesIO

import numpy as np
import pytest
from conftest_inspect import photo
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.spatial.distance import cdist

from lesionseg.inspection import close_pairs, perceptual_hash
from lesionseg.inspection.hashing import MAX_BITS, fingerprint


def bits_between(first, second):
    return int((perceptual_hash(first) != perceptual_hash(second)).sum())


def jpeg(image, quality):
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


@pytest.mark.parametrize("seed", range(4))
def test_what_does_not_change_a_picture_hardly_changes_its_hash(seed):
    image = photo(seed, (300, 400))
    assert bits_between(image, image.copy()) == 0
    for other in (
        image.resize((128, 128)),
        image.resize((90, 70), Image.Resampling.NEAREST),
        ImageEnhance.Brightness(image).enhance(0.8),
        ImageEnhance.Contrast(image).enhance(0.7),
        jpeg(image, 20),
        image.convert("L"),
    ):
        assert bits_between(image, other) <= MAX_BITS
        assert fingerprint(image).matches(fingerprint(other))


def test_other_pictures_and_turned_ones_are_far_away():
    hashes = np.array([perceptual_hash(photo(seed)) for seed in range(40)])
    assert sum(map(len, close_pairs(hashes))) == 0
    image = photo(0)
    assert not fingerprint(image).matches(
        fingerprint(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    )


def test_half_of_the_bits_are_set_and_a_blank_picture_has_a_hash_too():
    assert perceptual_hash(photo(1)).sum() == 32
    assert perceptual_hash(Image.new("RGB", (50, 40), "tan")).shape == (64,)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 12))
def test_pairs_are_those_of_comparing_all_with_all(seed, count, most):
    hashes = np.random.default_rng(seed).random((count, 16)) < 0.5
    pairs = np.concatenate([np.zeros((0, 3), int), *close_pairs(hashes, most)])
    expected = [
        (one, other, int((hashes[one] != hashes[other]).sum()))
        for one in range(count)
        for other in range(one + 1, count)
        if (hashes[one] != hashes[other]).sum() <= most
    ]
    assert [tuple(row) for row in pairs.tolist()] == expected


def test_pairs_across_blocks():
    hashes = np.random.default_rng(0).random((2100, 64)) < 0.5
    hashes[2050] = hashes[3]
    pairs = np.concatenate(list(close_pairs(hashes, 16)))
    distances = np.triu(cdist(hashes, hashes, "hamming") * 64 <= 16.5, 1)
    assert [3, 2050, 0] in pairs.tolist()
    assert (pairs[:, :2] == np.argwhere(distances)).all()
