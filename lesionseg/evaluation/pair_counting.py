"""Confusion counts of pairs of mask files, a few pairs at a time side by side."""

import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lesionseg.data.decoding import MOST_PIXELS, open_raster, raised_pixel_limit
from lesionseg.data.thread_pool import thread_pool
from lesionseg.errors import InvalidDataError
from lesionseg.evaluation.mask_source import MOST_BYTES, Entry, MaskPair, MaskSource
from lesionseg.metrics.official import Counts, confusion_counts

#: Unless told otherwise: copying pixels, a tenth of the work on a pair, holds Python's lock.
MOST_WORKERS = 8

# The largest file that a mask of some pixels may have: four channels of 16 bits, and metadata.
_PIXEL_BYTES, _SPARE_BYTES = 8, 1 << 20


def count_pairs(
    truths: MaskSource,
    predictions: MaskSource,
    pairs: Sequence[MaskPair],
    workers: int | None = None,
    progress: bool = False,
) -> Counts:
    """Count the pixels of every pair, each worker holding one pair in memory.

    Threads, not processes: Pillow's decoders and numpy let go of Python's lock, a zip stays open
    once, and nothing has to start.

    Args:
        truths: Where the true masks are.
        predictions: Where the predictions are.
        pairs: What belongs together.
        workers: Threads, at least 1; None takes the processor's cores, at most 8.
        progress: Show a progress bar on stderr.

    Returns:
        int64 array (pairs, 4): true positives, false positives, false negatives and true
        negatives, in the order of ``pairs``.

    Raises:
        InvalidDataError: If masks cannot be read or differ in size; it names the first such pair,
            however many workers there are. Pairs that were not begun are left.
    """
    # An error waits for the pairs in work only.
    with thread_pool(workers or min(_cores(), MOST_WORKERS)) as pool:
        counts = pool.map(partial(_count, truths, predictions), pairs)
        shown = tqdm(
            counts,
            total=len(pairs),
            desc="score",
            unit="image",
            disable=not progress,
            file=sys.stderr,
        )
        return np.array(list(shown), dtype=np.int64)


def _count(
    truths: MaskSource, predictions: MaskSource, pair: MaskPair
) -> tuple[int, int, int, int]:
    true_mask = _load(truths, pair.truth)
    mask = _load(predictions, pair.prediction, true_mask.shape)
    return confusion_counts(mask, true_mask)


def _load(
    source: MaskSource, entry: Entry, shape: tuple[int, ...] | None = None
) -> npt.NDArray[np.uint8]:
    """Return a mask's grey values, uint8 (height, width).

    Args:
        source: Where it is.
        entry: The mask.
        shape: Height and width that it must have. Others are refused before they are decoded,
            because a small file may hold a huge mask.
    """
    place = f"{entry.location} in {source.path}"
    most = MOST_BYTES if shape is None else _PIXEL_BYTES * math.prod(shape) + _SPARE_BYTES
    content = source.read(entry, most)
    try:
        with raised_pixel_limit(), open_raster(BytesIO(content)) as image:
            pixels = image.width * image.height
            if shape is None and Image.MAX_IMAGE_PIXELS and pixels > Image.MAX_IMAGE_PIXELS:
                raise ValueError(f"more than {MOST_PIXELS / 1e6:g} million pixels")
            # Pillow may exchange height and width when it loads a TIFF that is shown sideways.
            if shape is not None and pixels != math.prod(shape):
                raise _other_size(place, (image.height, image.width), shape)
            image.load()
            mode = image.mode
            if mode == "1":
                image = image.convert("L")
            mask: npt.NDArray[Any] = np.asarray(image)
    except (InvalidDataError, MemoryError):
        raise
    # Pillow's decoders raise errors of many kinds at broken files, even SyntaxError.
    except Exception as error:
        reason = "" if "BytesIO" in str(error) else f" ({error})"
        raise InvalidDataError(
            f"{place} is not a readable image{reason}; write it again as an 8-bit grey PNG."
        ) from error
    if mode not in ("1", "L"):
        raise InvalidDataError(
            f"{place} is not a mask: its mode is {mode}, not one grey channel; "
            "write it as an 8-bit grey PNG."
        )
    if shape is not None and mask.shape != shape:
        raise _other_size(place, mask.shape, shape)
    return mask


def _other_size(place: str, size: tuple[int, ...], truth: tuple[int, ...]) -> InvalidDataError:
    return InvalidDataError(
        f"{place} is {size[0]} pixels high and {size[1]} wide, its truth {truth[0]} pixels high "
        f"and {truth[1]} wide; resize the prediction to the truth's size."
    )


def _cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
