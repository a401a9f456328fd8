"""Skip images of a data set that cannot be used; each file is read once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from tqdm import tqdm

from lesionseg.data.io.mask_values import OFFICIAL, MaskRule
from lesionseg.data.io.reading import read_mask
from lesionseg.data.io.resizing import read_resized
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import InvalidDataError, LesionsegError, printable

if TYPE_CHECKING:
    from lesionseg.data.datasets.paired import Pair

OnError: TypeAlias = Literal["stop", "skip"]
"""What a data set does with invalid files: ``stop`` raises an error, ``skip`` skips them."""

_MOST_THREADS = 16  # each holds an image and a mask at full size

# Training and validation images are often in one folder: files are not read again unless their size
# or modification time has changed.
_known: dict[tuple[object, ...], str | None] = {}
_said: set[str] = set()


def check_on_error(on_error: str) -> OnError:
    """Return ``on_error`` if it is ``stop`` or ``skip``.

    Raises:
        ValueError: If it is another value.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"expected on_error to be stop or skip, got {on_error!r}")
    return cast(OnError, on_error)


def usable(
    pairs: Sequence[Pair], unpaired: Mapping[str, str], rule: MaskRule = OFFICIAL
) -> list[Pair]:
    """Return the pairs whose files can be read and fit each other, and warn of all others.

    Every image and mask is decoded, several at a time, JPEGs at an eighth of their size; results
    are remembered in the process. In a distributed run each process reads the files; the first
    shows the progress bar and the warning.

    Args:
        pairs: Images and masks.
        unpaired: Reasons by names of files that are skipped already.
        rule: Which values of the masks are lesion.

    Raises:
        InvalidDataError: If no pair is left.
    """
    from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn  # slow to import

    first = getattr(rank_zero_only, "rank", 0) == 0
    with thread_pool(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        found = list(
            tqdm(
                pool.map(lambda pair: _why_not(pair, rule), pairs),
                total=len(pairs),
                desc="check",
                unit="image",
                disable=None if first else True,  # None: without a terminal
            )
        )
    reasons = dict(unpaired)
    reasons |= {
        pair.image.name: reason for pair, reason in zip(pairs, found, strict=True) if reason
    }
    kept = [pair for pair, reason in zip(pairs, found, strict=True) if not reason]
    if not reasons:
        return kept
    listed = sorted(reasons.items())
    if not kept:
        name, reason = listed[0]
        raise InvalidDataError(
            f"no image can be used, {len(listed)} skipped (on_error: skip), first {name}: {reason}"
        )
    lines = "".join(f"\n  {name}: {reason}" for name, reason in listed)
    warning = f"{len(reasons)} skipped (on_error: skip), {len(kept)} images remain:{lines}"
    if warning not in _said:
        _said.add(warning)
        rank_zero_warn(printable(warning))
    return kept


def _why_not(pair: Pair, rule: MaskRule) -> str | None:
    """Return why a pair cannot be used, or None."""
    try:
        key = (_state(pair.image), _state(pair.mask), rule)
    except OSError as error:
        return f"{error.filename} cannot be opened ({error.strerror})."
    if key not in _known:
        try:
            size = read_resized(pair.image, (1, 1))[1]
            if pair.mask is not None:
                read_mask(pair.mask, size, pair.image, rule)
            _known[key] = None
        except LesionsegError as error:
            _known[key] = str(error)
    return _known[key]


def _state(path: Path | None) -> tuple[object, ...] | None:
    if path is None:
        return None
    stat = path.stat()
    return path.resolve(), stat.st_size, stat.st_mtime_ns
