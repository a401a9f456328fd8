"""Decide which gray values are lesion in the masks of a data set.

Masks hold 0 and 255, 0 and 1 (nnU-Net), 0 and any other number, soft edges, or several classes.
Without torch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.errors import LesionsegError, MaskValueError
from lesionseg.metrics.official import GRAY_THRESHOLD

Values = tuple[int, ...]
"""Distinct gray values of a mask, 0 to 255, in increasing order."""

_SAMPLE = 8  # masks that the rule is decided on; the others are checked against it when read
_MOST_CLASSES = 8  # more distinct values come from soft edges
_NEAR_WHITE = range(240, 255)  # reached by JPEG noise and soft edges, but not by class indices
_FIX = "write lesion as 255 and all else as 0, or give mask_threshold"


@dataclass(frozen=True)
class MaskRule:
    """Which gray values of a data set's masks are lesion, and which values fit.

    Attributes:
        threshold: Values above it are lesion.
        values: Gray values of the masks that the rule was decided on; empty if it was given.
        checked: Whether a mask with other values is an error.

    Example:
        >>> rule = decide([(0, 1), (0, 1)], where="The masks")
        >>> str(rule)
        '0 and 1, lesion is 1'
        >>> rule.apply(np.array([[0, 1]], dtype=np.uint8), name="mask.png")
        array([[  0, 255]], dtype=uint8)
    """

    threshold: int = GRAY_THRESHOLD
    values: Values = ()
    checked: bool = True

    def __str__(self) -> str:
        """Describe the rule, such as "0 and 1, lesion is 1"."""
        if len(self.values) == 2:
            return f"{describe(self.values)}, lesion is {self.values[1]}"
        above = f"lesion is above {self.threshold}"
        return f"{describe(self.values)}, {above}" if self.values else above

    @property
    def is_usual(self) -> bool:
        """Whether the masks hold nothing but 0 and 255, as far as they were read."""
        return self.threshold == GRAY_THRESHOLD and {0, 255}.issuperset(self.values)

    def problem(self, values: Values) -> str:
        """Return why a mask of these values does not fit the others; "" if it fits."""
        most = values[-1] if values else 0
        if not self.checked or not most:
            return ""
        if self.threshold != GRAY_THRESHOLD:
            fits = set(values).issubset({0, *self.values})
            return "" if fits else f"holds {describe(values)}, unlike the others ({self})"
        if most <= GRAY_THRESHOLD:
            return f"holds {describe(values)}, and lesion is what lies above {GRAY_THRESHOLD}"
        if 0 < len(self.values) <= 2 and _are_classes(values):
            return f"holds {describe(values)}, unlike the others ({self})"
        return ""

    def apply(self, gray: npt.NDArray[np.uint8], name: object) -> npt.NDArray[np.uint8]:
        """Return a mask whose lesion lies above 128.

        Args:
            gray: uint8 (height, width), gray values of the file.
            name: The mask's name, for messages.

        Raises:
            MaskValueError: If its values do not fit the rule.
        """
        # For official masks the largest value suffices, in a fraction of the time.
        known = not self.checked or (not self.values and gray.max(initial=0) > GRAY_THRESHOLD)
        if not known and (problem := self.problem(values_of(gray))):
            raise MaskValueError(f"The mask {name} {problem}; {_FIX}.")
        if self.threshold == GRAY_THRESHOLD:
            return gray
        lesion: npt.NDArray[np.uint8] = np.where(gray > self.threshold, 255, 0).astype(np.uint8)
        return lesion


OFFICIAL = MaskRule()
"""The ISIC challenges' rule: lesion is above 128. A mask of lower values is an error."""


def values_of(gray: npt.NDArray[np.uint8]) -> Values:
    """Return the distinct gray values of a mask."""
    counts = Image.fromarray(gray).histogram() if gray.size else []
    return tuple(value for value, count in enumerate(counts) if count)


def describe(values: Sequence[int]) -> str:
    """List a few values, or return how many there are, for messages."""
    if len(values) > _MOST_CLASSES:
        return f"{len(values)} gray values from {values[0]} to {values[-1]}"
    names = [str(value) for value in values]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"only {names[0]}"


def is_label_mask(values: Values) -> bool:
    """Return whether a mask holds one number beside 0, which is at most 128."""
    return len(set(values) - {0}) == 1 and values[-1] <= GRAY_THRESHOLD


def decide(found: Iterable[Values], where: str, official: bool = False) -> MaskRule:
    """Decide which gray values are lesion in the masks of a data set.

    - Values above 128: lesion is what lies above 128, whether 0 and 255 or soft edges.
    - Only 0 and one other number, such as 1: that number is lesion.
    - Anything else is refused: several classes, soft masks without a value above 128, two classes
      without a background.

    If masks of the first two kinds are mixed, the more frequent kind counts, and the others do not
    fit (:meth:`MaskRule.problem`). Masks without lesion are ignored.

    Args:
        found: Distinct values of each mask.
        where: Names the masks in messages.
        official: Whether a single mask with values above 128 decides, and any such values are
            accepted, as by the official scorer.

    Raises:
        MaskValueError: If the values are ambiguous.

    Example:
        >>> decide([(0, 255), (0, 130, 254, 255)], where="The masks").threshold
        128
        >>> decide([(0, 1, 2)], where="The masks")
        Traceback (most recent call last):
        lesionseg.errors.MaskValueError: The masks hold 0, 1 and 2: several classes; ...
    """
    nonempty = [values for values in found if values and values[-1]]
    high = [values for values in nonempty if values[-1] > GRAY_THRESHOLD]
    low = [values for values in nonempty if values[-1] <= GRAY_THRESHOLD]
    if high and (official or len(high) >= len(low)):
        union = _union(high)
        if not official and _are_classes(union):
            raise MaskValueError(f"{where} hold {describe(union)}: several classes; {_FIX}.")
        if not official and len(union) > 1 and union[0] > GRAY_THRESHOLD:
            raise MaskValueError(f"{where} hold {describe(union)} and no background; {_FIX}.")
        return MaskRule(GRAY_THRESHOLD, union)
    union = _union(low)
    if not union:
        return OFFICIAL
    if is_label_mask(union):
        return MaskRule(0, (0, union[-1]))
    kind = "several classes" if len(union) <= _MOST_CLASSES else f"none above {GRAY_THRESHOLD}"
    raise MaskValueError(f"{where} hold {describe(union)}: {kind}; {_FIX}.")


def decide_lazily(count: int, read: Callable[[int], Values], where: str) -> MaskRule:
    """Decide from a few evenly spaced masks, always the same, without reading the others.

    Args:
        count: Number of masks.
        read: Returns the values of the mask at an index; unreadable masks are skipped.
        where: See :func:`decide`.

    Raises:
        MaskValueError: See :func:`decide`.
    """
    indices = (number * count // _SAMPLE for number in range(_SAMPLE))
    spread = dict.fromkeys(index for index in indices if index < count)
    found: list[Values] = []
    for index in (*spread, *(index for index in range(count) if index not in spread)):
        if len(found) >= len(spread) and any(values[-1] for values in found):
            break
        try:
            if values := read(index):
                found.append(values)
        except LesionsegError:
            continue  # reported when this mask is needed
    return decide(found, where)


def _union(masks: Iterable[Values]) -> Values:
    return tuple(sorted(set().union(*masks)))


def _are_classes(values: Values) -> bool:
    return 3 <= len(values) <= _MOST_CLASSES and not set(values) & set(_NEAR_WHITE)
