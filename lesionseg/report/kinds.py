"""Scores by kind of image: lesion size, contact with the border, and contrast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lesionseg.metrics.bootstrap import bootstrap_interval

if TYPE_CHECKING:
    from torch import Tensor


class LesionDescription(NamedTuple):
    """Properties of a lesion in its image.

    Attributes:
        area: Lesion's share of the image in [0, 1].
        touches_border: Whether the lesion reaches the border of the image; None if unknown.
        contrast: Euclidean distance in CIELAB between the mean colors inside and outside of the
            lesion; NaN if unknown, or if there is nothing inside or outside.

    Example:
        >>> from lesionseg.report import LesionDescription
        >>> LesionDescription(0.25)
        LesionDescription(area=0.25, touches_border=None, contrast=nan)
    """

    area: float
    touches_border: bool | None = None
    contrast: float = math.nan


class Kind(NamedTuple):
    """A kind of image: those of which a property is in a half-open interval.

    Attributes:
        title: Name in a table.
        column: Property of :class:`LesionDescription`.
        low: Smallest value.
        high: Smallest value that is too large.

    Example:
        >>> from lesionseg.report import KINDS
        >>> KINDS[0].title, KINDS[0].high
        ('lesion under 5 % of the image', 0.05)
    """

    title: str
    column: Literal["area", "touches_border", "contrast"]
    low: float
    high: float


KINDS = (
    Kind("lesion under 5 % of the image", "area", 0.0, 0.05),
    Kind("5 to 20 %", "area", 0.05, 0.2),
    Kind("20 to 50 %", "area", 0.2, 0.5),
    Kind("50 % or more", "area", 0.5, 2.0),
    Kind("does not touch the border", "touches_border", 0, 1),
    Kind("touches the border", "touches_border", 1, 2),
    Kind("contrast under 10", "contrast", 0.0, 10.0),
    Kind("10 to 20", "contrast", 10.0, 20.0),
    Kind("20 to 30", "contrast", 20.0, 30.0),
    Kind("30 or more", "contrast", 30.0, 1000.0),
)
"""Kinds of images by lesion size, contact with the border, and contrast."""


class KindScore(NamedTuple):
    """Score of the images of a kind.

    Attributes:
        kind: The kind.
        images: Number of its images.
        mean: Mean score; NaN without images.
        interval: 95 % bootstrap interval of the mean.
    """

    kind: Kind
    images: int
    mean: float
    interval: tuple[float, float]


def describe_lesion(image: Tensor, mask: Tensor) -> LesionDescription:
    """Measure size, contact with the border and contrast of a lesion.

    Args:
        image: float (3, H, W), sRGB in [0, 1].
        mask: Bool (H, W), the ground truth.

    Example:
        >>> import torch
        >>> from lesionseg.report import describe_lesion
        >>> image = torch.ones(3, 4, 4)  # a black square on white
        >>> image[:, 1:3, 1:3] = 0
        >>> found = describe_lesion(image, image[0] == 0)
        >>> found.area, found.touches_border, round(found.contrast)
        (0.25, False, 100)
    """
    from kornia.color import rgb_to_lab

    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    lab = rgb_to_lab(image[None])[0]
    contrast = lab[:, mask].mean(dim=1) - lab[:, ~mask].mean(dim=1)  # NaN if either is empty
    return LesionDescription(
        mask.float().mean().item(),
        any(bool(edge.any()) for edge in edges),
        float(contrast.norm()),
    )


def scores_by_kind(
    scores: Mapping[str, float], descriptions: Mapping[str, LesionDescription]
) -> list[KindScore]:
    """Average a score over the images of each kind.

    Args:
        scores: Score of each image by its id.
        descriptions: Descriptions of lesions by the ids of their images; others are left out.

    Returns:
        An entry for each of :data:`KINDS`, in order.

    Example:
        >>> from lesionseg.report import LesionDescription, scores_by_kind
        >>> lesions = {"a": LesionDescription(0.01), "b": LesionDescription(0.1)}
        >>> small, medium, *_ = scores_by_kind({"a": 0.5, "b": 0.9}, lesions)
        >>> small.images, small.mean, medium.mean
        (1, 0.5, 0.9)
    """
    found = []
    for kind in KINDS:
        chosen = [
            scores[name]
            for name, description in descriptions.items()
            if name in scores and _is_of(kind, description)
        ]
        if chosen:
            values = np.array(chosen)
            found.append(
                KindScore(kind, len(chosen), float(values.mean()), bootstrap_interval(values))
            )
        else:
            found.append(KindScore(kind, 0, math.nan, (math.nan, math.nan)))
    return found


def _is_of(kind: Kind, description: LesionDescription) -> bool:
    value = getattr(description, kind.column)
    return value is not None and kind.low <= value < kind.high
