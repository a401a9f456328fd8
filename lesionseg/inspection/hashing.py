"""Fingerprints of images: a perceptual hash finds possible copies, a small picture confirms them.

Copies have hashes that differ in few bits, but so have some other pairs: lesions are dark spots in
the middle of bright skin, and 64 bits hold little more than the position of the spot and of the
dermoscope's dark corners. The correlation of small gray pictures separates such pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

#: Side of the small gray picture in pixels.
SIDE = 32
#: Number of bits in a hash.
BITS = 64
#: Largest number of bits that differ between the hashes of two copies.
MAX_BITS = 10
#: Smallest correlation between the small gray pictures of two copies.
MIN_CORRELATION = 0.96

Hash = npt.NDArray[np.bool_]


class Fingerprint(NamedTuple):
    """Data that copies of an image are found by.

    Attributes:
        hash: bool (64,), see :func:`perceptual_hash`.
        gray: uint8 (32, 32), the image in gray at a small size, regardless of its aspect ratio.
    """

    hash: Hash
    gray: npt.NDArray[np.uint8]

    def matches(self, other: Fingerprint) -> bool:
        """Return whether both are of one picture, at any size, color or JPEG quality."""
        if (self.gray == other.gray).all():
            return True
        bits = int((self.hash != other.hash).sum())
        first, second = normalize(np.stack([self.gray, other.gray]))
        return bits <= MAX_BITS and float(first @ second) >= MIN_CORRELATION


def fingerprint(image: Image.Image) -> Fingerprint:
    """Compute the fingerprint of an image of any mode that Pillow converts to gray."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    gray = np.asarray(small, dtype=np.uint8)
    cosines = dctn(gray.astype(np.float32))[1:9, 1:9].ravel()
    return Fingerprint(cosines > np.median(cosines), gray)


def perceptual_hash(image: Image.Image) -> Hash:
    """Hash an image by the signs of its low frequencies.

    The image is converted to gray and resized to 32 x 32, and its cosine transform (DCT-II) is
    computed. Each bit is whether a coefficient is above the median of the 8 x 8 lowest frequencies,
    without those that are constant along rows or columns. Brightness, contrast, size, aspect ratio
    and JPEG quality hardly change the hash; flips, rotations and crops change it completely.

    Source: C. Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions*, 2010,
    section 3.2.1 (pHash). Chosen: Pillow's antialiased bilinear resize in place of its mean filter.

    Args:
        image: Image of any mode that Pillow converts to gray.

    Returns:
        bool (64,).

    Example:
        >>> pixels = np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8)
        >>> image = Image.fromarray(pixels).resize((400, 300))
        >>> smaller, flipped = image.reduce(4), image.transpose(Image.Transpose.ROTATE_180)
        >>> bits = perceptual_hash(image)
        >>> int((bits != perceptual_hash(smaller)).sum()) <= 10
        True
        >>> int((bits != perceptual_hash(flipped)).sum()) <= 10
        False
    """
    return fingerprint(image).hash


def normalize(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Convert pictures to rows of mean 0 and norm 1, whose dot products are their correlations.

    Args:
        pictures: uint8 (N, 32, 32).

    Returns:
        float32 (N, 1024); rows of uniform pictures are 0.
    """
    rows = pictures.reshape(len(pictures), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, 1)
    return rows


def close_pairs(hashes: Hash, most: int = MAX_BITS) -> Iterator[npt.NDArray[np.int64]]:
    """Find all pairs of hashes that differ in few bits.

    All pairs are compared: 10,000 hashes take about a second and little memory.

    Args:
        hashes: bool (N, bits).
        most: Largest number of bits that differ.

    Yields:
        int64 (pairs, 3), in blocks, sorted: two row indices, the smaller first, and the number of
        bits that differ.

    Example:
        >>> hashes = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=bool)
        >>> np.concatenate(list(close_pairs(hashes, most=1))).tolist()
        [[1, 2, 1]]
    """
    # With bits as +1 and -1, a product of rows is (bits that agree) - (bits that differ).
    signs = np.where(hashes, np.float32(1), np.float32(-1))
    count, bits = signs.shape
    block = 256
    for start in range(0, count, block):
        differing = (bits - signs[start : start + block] @ signs[start:].T) / 2
        rows, columns = np.nonzero(np.triu(differing <= most, 1))
        distances = differing[rows, columns].astype(np.int64)
        yield np.stack([rows + start, columns + start, distances], axis=1)
