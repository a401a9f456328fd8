"""Confusion counts of pairs of mask files, a few pairs at a time side by side."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lesionseg.data.decoding import raised_pixel_limit
from lesionseg.errors import InvalidDataError
from lesionseg.evaluation.mask_source import Entry, MaskPair, MaskSource
from lesionseg.metrics.official import Counts, confusion_counts

#: Unless told otherwise: copying pixels, a tenth of the work on a pair, holds Python's lock.
MOST_WORKERS = 8


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
    # Else Pillow does it at the first unusual file, and another thread's file meets half of it.
    Image.init()
    pool = ThreadPoolExecutor(workers or min(_cores(), MOST_WORKERS))
    try:
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
    finally:
        # An error or Ctrl-C waits for the pairs in work only.
        pool.shutdown(cancel_futures=True)


def _count(
    truths: MaskSource, predictions: MaskSource, pair: MaskPair
) -> tuple[int, int, int, int]:
    true_mask = _load(truths, pair.truth)
    mask = _load(predictions, pair.prediction)
    if mask.shape != true_mask.shape:
        raise InvalidDataError(
            f"{pair.prediction.location} in {predictions.path} is {_size(mask)}, its truth "
            f"{_size(true_mask)}; resize the prediction to the truth's size."
        )
    return confusion_counts(mask, true_mask)


def _load(source: MaskSource, entry: Entry) -> npt.NDArray[np.uint8]:
    """Return a mask's grey values, uint8 (height, width)."""
    place = f"{entry.location} in {source.path}"
    content = source.read(entry)
    try:
        with raised_pixel_limit(), Image.open(BytesIO(content)) as image:
            image.load()
            mode = image.mode
            if mode == "1":
                image = image.convert("L")
            mask: npt.NDArray[Any] = np.asarray(image)
    except MemoryError:
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
    return mask


def _size(mask: npt.NDArray[np.uint8]) -> str:
    height, width = mask.shape
    return f"{height} pixels high and {width} wide"


def _cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
