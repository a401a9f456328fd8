"""Which images of a data set can be used: each file is read once, and the rest is left out."""

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
"""What a data set does with files that it cannot use: ``stop`` is an error, ``skip`` goes on."""

_MOST_THREADS = 16  # each holds an image and a mask at full size

# Training and validation images come from one folder: what was read is not read again, as long as
# length and modification time of the files stay.
_known: dict[tuple[object, ...], str | None] = {}
_said: set[str] = set()


def check_on_error(on_error: str) -> OnError:
    """Return ``on_error`` if it is ``stop`` or ``skip``.

    Raises:
        ValueError: if it is anything else.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error must be stop or skip: {on_error!r}")
    return cast(OnError, on_error)


def usable(
    pairs: Sequence[Pair], alone: Mapping[str, str], rule: MaskRule = OFFICIAL
) -> list[Pair]:
    """Return the pairs whose files can be read and fit each other, and warn once of all others.

    Every image and mask is decoded, several at a time, JPEGs at an eighth of their size; what this
    process has found once it remembers. Each process of a distributed run reads for itself; the
    first one shows the progress bar and the warning.

    Args:
        pairs: images and masks.
        alone: for each file that is left out already, because it has no partner, the reason.
        rule: what in the masks is lesion.

    Raises:
        InvalidDataError: if nothing is left.
    """
    from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn  # slow to import

    first = getattr(rank_zero_only, "rank", 0) == 0
    with thread_pool(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        told = list(
            tqdm(
                pool.map(lambda pair: _why_not(pair, rule), pairs),
                total=len(pairs),
                desc="check",
                unit="image",
                disable=None if first else True,  # None: where there is no terminal
            )
        )
    reasons = dict(alone)
    reasons |= {pair.image.name: reason for pair, reason in zip(pairs, told, strict=True) if reason}
    kept = [pair for pair, reason in zip(pairs, told, strict=True) if not reason]
    if not reasons:
        return kept
    listed = sorted(reasons.items())
    if not kept:
        name, reason = listed[0]
        raise InvalidDataError(
            f"No image can be used, {len(listed)} left out (on_error: skip), first {name}: {reason}"
        )
    lines = "".join(f"\n  {name}: {reason}" for name, reason in listed)
    warning = f"{len(reasons)} left out (on_error: skip), {len(kept)} images stay:{lines}"
    if warning not in _said:
        _said.add(warning)
        rank_zero_warn(printable(warning))
    return kept


def _why_not(pair: Pair, rule: MaskRule) -> str | None:
    """The sentence that says why a pair cannot be used; None if it can."""
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
