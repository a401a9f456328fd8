"""How images look: a perceptual hash to find pairs that may be alike, a small picture to confirm.

Images that look alike have hashes that differ in few bits, but so have some that do not: lesions
are dark blots in the middle of bright skin, and 64 bits tell little more than where the blot and
the dermoscope's corners are. The correlation of small grey pictures tells such pairs apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

#: Side of the small grey picture.
SIDE = 32
#: Number of bits in a hash.
BITS = 64
#: Two images may be alike if their hashes differ in no more bits,
MOST_BITS = 10
#: and are, if their small grey pictures correlate by no less.
LEAST_CORRELATION = 0.96

Hash = npt.NDArray[np.bool_]


class Look(NamedTuple):
    """How an image looks.

    Attributes:
        hash: bool (64,), see :func:`perceptual_hash`.
        grey: uint8 (32, 32), the image in small and grey, whatever its aspect.
    """

    hash: Hash
    grey: npt.NDArray[np.uint8]

    def is_like(self, other: Look) -> bool:
        """Whether both are one picture, in other size, colour or quality."""
        if (self.grey == other.grey).all():
            return True
        bits = int((self.hash != other.hash).sum())
        first, second = normalised(np.stack([self.grey, other.grey]))
        return bits <= MOST_BITS and float(first @ second) >= LEAST_CORRELATION


def look_at(image: Image.Image) -> Look:
    """Hash an image and make it small."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    grey = np.asarray(small, dtype=np.uint8)
    cosines = dctn(grey.astype(np.float32))[1:9, 1:9].ravel()
    return Look(cosines > np.median(cosines), grey)


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
    return look_at(image).hash


def normalised(greys: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Small pictures as rows of mean 0 and length 1, whose products are their correlations.

    Args:
        greys: uint8 (N, 32, 32).

    Returns:
        float32 (N, 1024); rows of pictures of one grey are 0, and correlate with none.
    """
    rows = greys.reshape(len(greys), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, 1)
    return rows


def close_pairs(hashes: Hash, most: int = MOST_BITS) -> Iterator[npt.NDArray[np.int64]]:
    """Find all pairs of hashes that differ in few bits.

    Compares all with all: 10,000 hashes take about a second and little memory.

    Args:
        hashes: bool (N, bits).
        most: Bits that may differ.

    Yields:
        int64 (pairs, 3), in blocks: two rows, the first the smaller, and the bits that differ;
        sorted.
    """
    # With +1 and -1 for bits, a product of rows is (bits that agree) - (bits that differ).
    signs = np.where(hashes, np.float32(1), np.float32(-1))
    count, bits = signs.shape
    block = 256
    for start in range(0, count, block):
        differing = (bits - signs[start : start + block] @ signs[start:].T) / 2
        rows, columns = np.nonzero(np.triu(differing <= most, 1))
        distances = differing[rows, columns].astype(np.int64)
        yield np.stack([rows + start, columns + start, distances], axis=1)
