"""What is lesion in the masks of a data set: decided once, from the grey values that they hold.

Masks come as 0 and 255, as 0 and 1 (nnU-Net), as 0 and any other number, with soft edges, and with
several classes. Without torch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.metrics.official import GRAY_THRESHOLD

Values = tuple[int, ...]
"""The grey values of a mask, 0 to 255, each once and rising."""

_SAMPLE = 8  # masks that a data set is judged by; the others are compared with them when read
_MOST_CLASSES = 8  # more distinct values come from soft edges
_NEAR_WHITE = range(240, 255)  # JPEG's noise and soft edges reach it, numbers of classes do not
_MEND = "write lesion as 255 and all else as 0, or give mask_threshold"


@dataclass(frozen=True)
class MaskRule:
    """Which grey values of a data set's masks are lesion, and which values fit.

    Attributes:
        threshold: Values above it are lesion.
        values: Those of the masks that the rule was decided on; none for a rule that was given.
        checked: Whether a mask with other values is an error.
    """

    threshold: int = GRAY_THRESHOLD
    values: Values = ()
    checked: bool = True

    def __str__(self) -> str:
        """What was taken, such as "0 and 1, lesion is 1"."""
        if len(self.values) == 2:
            return f"{describe(self.values)}, lesion is {self.values[1]}"
        above = f"lesion is above {self.threshold}"
        return f"{describe(self.values)}, {above}" if self.values else above

    @property
    def is_usual(self) -> bool:
        """Whether lesion is 255 and all else 0, or nothing else has been seen."""
        return self.threshold == GRAY_THRESHOLD and {0, 255}.issuperset(self.values)

    def problem(self, values: Values) -> str:
        """Say in what a mask of these values does not fit the others; "" if it fits."""
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

    def apply(self, grey: npt.NDArray[np.uint8], name: object) -> npt.NDArray[np.uint8]:
        """Return a mask whose lesion lies above 128.

        Args:
            grey: uint8 (height, width), as the file has it.
            name: Of the mask, for messages.

        Raises:
            InvalidDataError: If its values do not fit the rule.
        """
        # Of official masks the greatest value tells enough, in a fraction of the time.
        known = not self.checked or (not self.values and grey.max(initial=0) > GRAY_THRESHOLD)
        if not known and (problem := self.problem(values_of(grey))):
            raise InvalidDataError(f"The mask {name} {problem}; {_MEND}.")
        if self.threshold == GRAY_THRESHOLD:
            return grey
        lesion: npt.NDArray[np.uint8] = np.where(grey > self.threshold, 255, 0).astype(np.uint8)
        return lesion


OFFICIAL = MaskRule()
"""The rule of the ISIC challenges: above 128. A mask of which nothing lies above does not fit."""


def values_of(grey: npt.NDArray[np.uint8]) -> Values:
    """Return the grey values of a mask."""
    counts = Image.fromarray(grey).histogram() if grey.size else []
    return tuple(value for value, count in enumerate(counts) if count)


def describe(values: Sequence[int]) -> str:
    """Name a few values, or say how many there are."""
    if len(values) > _MOST_CLASSES:
        return f"{len(values)} grey values from {values[0]} to {values[-1]}"
    names = [str(value) for value in values]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"only {names[0]}"


def is_label_mask(values: Values) -> bool:
    """Whether a mask holds one number beside 0, which is at most 128."""
    return len(set(values) - {0}) == 1 and values[-1] <= GRAY_THRESHOLD


def decide(found: Iterable[Values], where: str, official: bool = False) -> MaskRule:
    """Decide what is lesion in masks that belong together.

    - Values above 128: lesion is what lies above 128, be they 0 and 255, or soft edges.
    - Only 0 and one other number, such as 1: that number is lesion.
    - Anything else is refused: several classes, soft masks that stay dark, two classes without a
      background.

    Where masks of the first two kinds are mixed, the more frequent kind counts, and the others do
    not fit (:meth:`MaskRule.problem`). Masks without lesion say nothing.

    Args:
        found: The values of each mask.
        where: What the masks are, for messages.
        official: Whether a single mask with values above 128 decides, and any such values are
            taken, as the official scorer does.

    Raises:
        InvalidDataError: If the values are ambiguous.
    """
    lit = [values for values in found if values and values[-1]]
    high = [values for values in lit if values[-1] > GRAY_THRESHOLD]
    low = [values for values in lit if values[-1] <= GRAY_THRESHOLD]
    if high and (official or len(high) >= len(low)):
        union = _union(high)
        if not official and _are_classes(union):
            raise InvalidDataError(f"{where} hold {describe(union)}: several classes; {_MEND}.")
        if not official and len(union) > 1 and union[0] > GRAY_THRESHOLD:
            raise InvalidDataError(f"{where} hold {describe(union)} and no background; {_MEND}.")
        return MaskRule(GRAY_THRESHOLD, union)
    union = _union(low)
    if not union:
        return OFFICIAL
    if is_label_mask(union):
        return MaskRule(0, (0, union[-1]))
    kind = "several classes" if len(union) <= _MOST_CLASSES else f"none above {GRAY_THRESHOLD}"
    raise InvalidDataError(f"{where} hold {describe(union)}: {kind}; {_MEND}.")


def decide_lazily(count: int, read: Callable[[int], Values], where: str) -> MaskRule:
    """Decide on a few masks, evenly spread and always the same, without reading the others.

    Args:
        count: Number of masks.
        read: Gives the values of one; masks that it cannot read are passed over.
        where: See :func:`decide`.

    Raises:
        InvalidDataError: See :func:`decide`.
    """
    places = (place * count // _SAMPLE for place in range(_SAMPLE))
    spread = dict.fromkeys(place for place in places if place < count)
    found: list[Values] = []
    for index in (*spread, *(index for index in range(count) if index not in spread)):
        if len(found) >= len(spread) and any(values[-1] for values in found):
            break
        try:
            if values := read(index):
                found.append(values)
        except LesionsegError:
            continue  # said by whoever needs this mask
    return decide(found, where)


def _union(masks: Iterable[Values]) -> Values:
    return tuple(sorted(set().union(*masks)))


def _are_classes(values: Values) -> bool:
    return 3 <= len(values) <= _MOST_CLASSES and not set(values) & set(_NEAR_WHITE)
