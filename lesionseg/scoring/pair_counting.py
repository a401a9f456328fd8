"""Confusion counts of pairs of mask files, by several threads."""

import logging
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lesionseg.data.io.decoding import MOST_PIXELS, open_raster, raised_pixel_limit
from lesionseg.data.io.mask_values import Values, decide, is_label_mask, values_of
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import InvalidDataError, shorten
from lesionseg.metrics.official import GRAY_THRESHOLD, Counts, confusion_counts
from lesionseg.metrics.surface import (
    Spacing,
    SurfaceRow,
    checked_spacing,
    row_of_empty,
    surface_row,
)
from lesionseg.scoring.mask_source import MOST_BYTES, MaskFile, MaskPair, MaskSource

_logger = logging.getLogger(__name__)

# Rows: where true positives, false positives, false negatives and true negatives are counted if a
# mask is treated as empty.
_NO_PREDICTION = np.array([[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
_NO_TRUTH = np.array([[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]])

#: Default limit: copying pixels, a tenth of the work on a pair, holds Python's global lock.
MOST_WORKERS = 8

# Largest file of a mask: four channels of 16 bits for each pixel, and metadata.
_PIXEL_BYTES, _SPARE_BYTES = 8, 1 << 20


@dataclass(frozen=True)
class SurfaceOptions:
    """Options of the scores of outlines; see :class:`lesionseg.metrics.ExtendedScore`."""

    tolerance: float = 2.0
    spacing: Spacing | None = None


def measure_pairs(
    truths: MaskSource,
    predictions: MaskSource,
    pairs: Sequence[MaskPair],
    workers: int | None = None,
    progress: bool = False,
    mask_threshold: int | None = None,
    surface: SurfaceOptions | None = None,
) -> tuple[Counts, npt.NDArray[np.float64]]:
    """Count the pixels of every pair, and measure outlines; a worker holds a single pair in memory.

    Workers are threads, because Pillow's decoders and numpy release Python's global lock.

    Args:
        truths: True masks.
        predictions: Predicted masks.
        pairs: Pairs of the two.
        workers: Threads, at least 1; None for the number of cores, at most 8.
        progress: Whether to show a progress bar on stderr.
        mask_threshold: Gray value above which a pixel is lesion, in all masks; None to infer it
            from the values of all truths, and of all predictions, with a warning if it is unusual.
        surface: Options of the scores of outlines; None does not measure them.

    Returns:
        int64 array (pairs, 4): true positives, false positives, false negatives and true
        negatives, in the order of ``pairs``; and float64 (pairs, 4), the scores of
        :data:`~lesionseg.metrics.extended_table.SURFACE_NAMES`, without rows if ``surface`` is
        None.

    Raises:
        InvalidDataError: If masks cannot be read or differ in size, or the values of the masks are
            ambiguous. Of unreadable pairs the message names the first, for any number of workers;
            pairs that are not yet started are skipped.
    """
    # After an error only pairs in progress are finished.
    with thread_pool(workers or min(_cores(), MOST_WORKERS)) as pool:
        results = pool.map(partial(_count, truths, predictions, mask_threshold, surface), pairs)
        shown = tqdm(
            results,
            total=len(pairs),
            desc="score",
            unit="image",
            disable=not progress,
            file=sys.stderr,
        )
        counted = list(shown)
    counts: Counts = np.array([pair.counts for pair in counted], dtype=np.int64).reshape(-1, 4)
    if mask_threshold is None:
        true_masks, masks = [pair.truth for pair in pairs], [pair.prediction for pair in pairs]
        sides = (truths, true_masks), (predictions, masks)
        no_truth, no_prediction = (
            _settle(source, files, [pair.values[side] for pair in counted])
            for side, (source, files) in enumerate(sides)
        )
        counts[no_prediction] = counts[no_prediction] @ _NO_PREDICTION
        counts[no_truth] = counts[no_truth] @ _NO_TRUTH
        for index in np.flatnonzero(no_prediction | no_truth) if surface else ():
            tp, fp, fn, _ = counts[index]
            empty_masks = int(tp + fp == 0) + int(tp + fn == 0)
            row = row_of_empty(empty_masks, counted[index].diagonal)
            counted[index] = counted[index]._replace(surface=row)
    rows = [pair.surface for pair in counted if pair.surface is not None]
    return counts, np.array(rows, dtype=np.float64).reshape(-1, 4)


class _Counted(NamedTuple):
    """Counts of a pair, and the gray values of its masks: truth, prediction."""

    counts: tuple[int, int, int, int]
    values: tuple[Values, Values]
    surface: SurfaceRow | None
    diagonal: float


def _count(
    truths: MaskSource,
    predictions: MaskSource,
    threshold: int | None,
    surface: SurfaceOptions | None,
    pair: MaskPair,
) -> _Counted:
    """Count with the given threshold, or with that which the values of each mask suggest."""
    true_mask = _load(truths, pair.truth)
    mask = _load(predictions, pair.prediction, true_mask.shape)
    values = values_of(true_mask), values_of(mask)
    true_lesion, lesion = (
        gray if threshold is None and not is_label_mask(present) else gray > (threshold or 0)
        for gray, present in zip((true_mask, mask), values, strict=True)
    )
    counts = confusion_counts(lesion, true_lesion)
    if surface is None:
        return _Counted(counts, values, None, 0.0)
    found, true = (
        (mask > GRAY_THRESHOLD).astype(bool) if mask.dtype == np.uint8 else mask.astype(bool)
        for mask in (lesion, true_lesion)
    )
    row = surface_row(found, true, surface.tolerance, surface.spacing)
    rows, columns = checked_spacing(surface.spacing)
    diagonal = math.hypot(true_mask.shape[0] * rows, true_mask.shape[1] * columns)
    return _Counted(counts, values, row, diagonal)


def _settle(
    source: MaskSource, files: Sequence[MaskFile], values: Sequence[Values]
) -> npt.NDArray[np.bool_]:
    """Infer which values are lesion in all masks of a source, and return which count as empty.

    As in the official scorer, pixels above 128 are lesion if any mask has such values.

    Raises:
        InvalidDataError: If the values are ambiguous, or a mask differs from the others.
    """
    rule = decide(values, f"The masks in {source.path}", official=True)
    if not any(present[-1] for present in values):
        _logger.warning("every mask in %s is empty", source.path)
    elif not rule.is_usual and rule.threshold != GRAY_THRESHOLD:
        _logger.warning("the masks in %s hold %s", source.path, rule)
    dark = np.array([rule.threshold == GRAY_THRESHOLD >= present[-1] > 0 for present in values])
    names = [file.location for file, is_dark in zip(files, dark, strict=True) if is_dark]
    if not names:
        return dark
    if len(rule.values) <= 2:  # no soft edges
        problem = rule.problem(values[int(dark.argmax())])
        raise InvalidDataError(
            f"{names[0]} in {source.path} {problem} in the others ({rule}); write lesion as 255 "
            "and all else as 0 in every mask, or use --mask-threshold."
        )
    _logger.warning(
        "masks in %s without any value above %d count as empty (%d): %s",
        source.path,
        GRAY_THRESHOLD,
        len(names),
        shorten(names),
    )
    return dark


def _load(
    source: MaskSource, file: MaskFile, shape: tuple[int, ...] | None = None
) -> npt.NDArray[np.uint8]:
    """Return a mask's gray values, uint8 (height, width).

    Args:
        source: Folder or zip of the mask.
        file: File of the mask.
        shape: Required height and width. They are checked before decoding, because a small file may
            contain a huge mask.
    """
    place = f"{file.location} in {source.path}"
    most = MOST_BYTES if shape is None else _PIXEL_BYTES * math.prod(shape) + _SPARE_BYTES
    content = source.read(file, most)
    try:
        with raised_pixel_limit(), open_raster(BytesIO(content)) as image:
            pixels = image.width * image.height
            if shape is None and Image.MAX_IMAGE_PIXELS and pixels > Image.MAX_IMAGE_PIXELS:
                raise ValueError(f"more than {MOST_PIXELS / 1e6:g} million pixels")
            # Pillow may swap height and width when it loads a TIFF with an orientation.
            if shape is not None and pixels != math.prod(shape):
                raise _other_size(place, (image.height, image.width), shape)
            image.load()
            mode = image.mode
            if mode == "1":
                image = image.convert("L")
            mask: npt.NDArray[Any] = np.asarray(image)
    except (InvalidDataError, MemoryError):
        raise
    # Pillow's decoders raise many kinds of errors, even SyntaxError.
    except Exception as error:
        reason = "" if "BytesIO" in str(error) else f" ({error})"
        raise InvalidDataError(
            f"{place} is not a readable image{reason}; save it as an 8-bit gray PNG."
        ) from error
    if mode not in ("1", "L"):
        raise InvalidDataError(
            f"{place} is not a mask: its mode is {mode}, not a gray channel; "
            "save it as an 8-bit gray PNG."
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
    """Return the number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
