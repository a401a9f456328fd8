"""A perceptual hash: images that look alike have hashes that differ in few bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

#: Side of the small grey picture that is hashed.
SIDE = 32
#: Number of bits in a hash.
BITS = 64

Hash = npt.NDArray[np.bool_]


def perceptual_hash(image: Image.Image) -> Hash:
    """Hash an image by the signs of its low frequencies.

    The image is made grey and 32 x 32, whatever its shape; its cosine transform (DCT-II) is taken;
    of the 8 x 8 lowest frequencies, without those that are constant along rows or columns, each
    bit says whether the coefficient lies above their median. Brightness, contrast, size, aspect
    and JPEG quality hardly change it; flips, rotations and crops change it wholly.

    Source: C. Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions*, 2010,
    section 3.2.1 (pHash). Chosen: Pillow's antialiased bilinear resize in place of its mean filter.

    Args:
        image: Of any mode that Pillow makes grey.

    Returns:
        bool (64,).
    """
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    cosines = dctn(np.asarray(small, dtype=np.float32))[1:9, 1:9].ravel()
    bits: Hash = cosines > np.median(cosines)
    return bits


def close_pairs(hashes: Hash, most: int) -> npt.NDArray[np.int64]:
    """Find all pairs of hashes that differ in few bits.

    Compares all with all: 10,000 hashes take about a second, in blocks of at most 40 MB.

    Args:
        hashes: bool (N, bits).
        most: Bits that may differ.

    Returns:
        int64 (pairs, 3): two rows, the first the smaller, and the bits that differ; sorted.
    """
    # With +1 and -1 for bits, a product of rows is (bits that agree) - (bits that differ).
    signs = np.where(hashes, np.float32(1), np.float32(-1))
    count, bits = signs.shape
    found = [np.zeros((0, 3), np.int64)]
    block = 1024
    for start in range(0, count, block):
        differing = (bits - signs[start : start + block] @ signs[start:].T) / 2
        rows, columns = np.nonzero(np.triu(differing <= most, 1))
        distances = differing[rows, columns].astype(np.int64)
        found.append(np.stack([rows + start, columns + start, distances], axis=1))
    return np.concatenate(found)
