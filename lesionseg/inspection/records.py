"""What each image and mask is: every file read once, by several threads, however broken."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lesionseg.data.discovery.image_set import ImageSet, Problem
from lesionseg.data.discovery.names import check_name
from lesionseg.data.io.mask_values import OFFICIAL, MaskRule
from lesionseg.data.io.reading import decode, find_rule, read_mask, read_thumbnail
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.inspection.hashing import SIDE, Look, look_at
from lesionseg.metrics.official import GRAY_THRESHOLD

#: Height and width at which masks of different sizes are compared.
COMPARED = (128, 128)
#: Files that are read at the same time: each thread holds a mask at full size.
MOST_THREADS = 8


class Lesion(NamedTuple):
    """What is known of a mask.

    Attributes:
        size: Height and width in pixels.
        area: Share of the pixels above 128, 0 to 1.
        touches: Whether any of them lies in the first or last row or column.
        grey: Share of the pixels that are neither 0 nor 255.
        packed: The mask at 128 x 128, a bit for each pixel: binarised and resized as for training,
            by :func:`lesionseg.data.resize_mask`.
    """

    size: tuple[int, int]
    area: float
    touches: bool
    grey: float
    packed: npt.NDArray[np.uint8]


class Record(NamedTuple):
    """What is known of one id of a set.

    Attributes:
        place: Of its set among those that are inspected.
        id: The image's name.
        image: Its file; None if there is none.
        mask: The mask's file; None if there is none.
        size: The image's height and width in pixels; None if it cannot be read.
        look: How the image looks; None if it cannot be read.
        lesion: None if the mask cannot be read or there is none.
        rule: What in the masks of its set is lesion.
    """

    place: int
    id: str
    image: Path | None
    mask: Path | None
    size: tuple[int, int] | None
    look: Look | None
    lesion: Lesion | None
    rule: MaskRule = OFFICIAL


def rule_of(one: ImageSet) -> MaskRule:
    """Decide what in the masks of a set is lesion; official sets keep the official rule.

    Raises:
        InvalidDataError: If their values are ambiguous.
    """
    if one.year is not None or not one.masks:
        return OFFICIAL
    return find_rule([one.masks[id_] for id_ in sorted(one.masks)])


def read_records(sets: Sequence[ImageSet]) -> tuple[list[Record], list[Problem]]:
    """Read all files of some sets, with a progress bar on stderr where that is a terminal.

    Broken files stop nothing: their problems are returned, with those that the sets had already.

    Args:
        sets: What to read.

    Returns:
        A record for each id, by set and id, and the problems, by set and file.
    """
    jobs = [(place, id_) for place, one in enumerate(sets) for id_ in one.ids]
    problems = [problem for one in sets for problem in one.problems]
    rules: list[MaskRule | None] = []
    for one in sets:
        try:
            rules.append(rule_of(one))
        except InvalidDataError as error:
            assert one.masks
            problems.append(Problem("mask values", min(one.masks.values()), str(error)))
            rules.append(None)
    records = []
    with thread_pool(min(os.cpu_count() or 1, MOST_THREADS)) as pool:
        results = pool.map(lambda job: _read(sets[job[0]], rules[job[0]], *job), jobs)
        for record, found in tqdm(
            results, total=len(jobs), desc="inspect", unit="image", disable=None
        ):
            records.append(record)
            problems += found
    return records, problems


def _read(
    one: ImageSet, rule: MaskRule | None, place: int, id_: str
) -> tuple[Record, list[Problem]]:
    image, mask = one.images.get(id_), (one.masks or {}).get(id_)
    problems: list[Problem] = []
    if image is None and one.images and mask is not None:
        message = f"The mask {mask} has no image; add the image or remove the mask."
        problems.append(Problem("no image", mask, message))
    if mask is None and one.masks is not None and image is not None:
        message = f"The image {image} has no mask; add the mask or remove the image."
        problems.append(Problem("no mask", image, message))
    size, look = _read_image(image, problems) if image is not None else (None, None)
    lesion = None
    if mask is not None and rule is not None:
        lesion = _read_lesion(mask, size, image, rule, problems)
    if size is not None and lesion is not None and size != lesion.size:
        message = (
            f"The mask {mask} is {lesion.size[1]} x {lesion.size[0]} pixels (width x height), but "
            f"its image is {size[1]} x {size[0]}; every mask needs the size of its image."
        )
        assert mask is not None
        problems.append(Problem("sizes differ", mask, message))
    return Record(place, id_, image, mask, size, look, lesion, rule or OFFICIAL), problems


def _read_image(
    path: Path, problems: list[Problem]
) -> tuple[tuple[int, int], Look] | tuple[None, None]:
    """Size and look of an image; a big JPEG is decoded at a fraction of its size."""
    try:
        small, size = read_thumbnail(check_name(path), 2 * SIDE)
        return size, look_at(small)
    except LesionsegError as error:
        problems.append(Problem(_kind(path), path, str(error)))
    return None, None


def _read_lesion(
    path: Path,
    size: tuple[int, int] | None,
    image: Path | None,
    rule: MaskRule,
    problems: list[Problem],
) -> Lesion | None:
    try:
        return measure(read_any_mask(path, size, image, rule))
    except LesionsegError as error:
        try:
            decode(path, "mask")
            kind = "mask values"
        except LesionsegError:
            kind = _kind(path)
        problems.append(Problem(kind, path, str(error)))
        return None


def read_any_mask(
    path: Path,
    size: tuple[int, int] | None,
    image: Path | None,
    rule: MaskRule = OFFICIAL,
) -> npt.NDArray[np.uint8]:
    """Read a mask of whatever size; one on the stored pixels of a sideways image is turned.

    Args:
        path: Of the mask.
        size: Height and width of its image as shown, if it has one that can be read.
        image: The image.
        rule: What in the masks of its set is lesion.

    Raises:
        LesionsegError: If the mask cannot be read, or its values do not fit the rule.
    """
    mask = read_mask(path, rule=rule)
    if size is not None and mask.shape == size[::-1] != size:
        with suppress(LesionsegError):  # it is of another size
            return read_mask(path, size, image, rule)
    return mask


def _kind(path: Path) -> str:
    try:
        return "unreadable" if path.stat().st_size else "zero bytes"
    except OSError:
        return "unreadable"


def measure(mask: npt.NDArray[np.uint8]) -> Lesion:
    """Measure a mask.

    Args:
        mask: uint8 (h, w), grey values 0 to 255, of any size from 1 x 1.
    """
    picture = Image.fromarray(mask)
    counts = picture.histogram()
    pixels = mask.size
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    binary = picture.point([255 * (value > GRAY_THRESHOLD) for value in range(256)])
    small = binary.resize(COMPARED[::-1], Image.Resampling.BILINEAR)
    return Lesion(
        size=(mask.shape[0], mask.shape[1]),
        area=sum(counts[GRAY_THRESHOLD + 1 :]) / pixels,
        touches=any(bool((edge > GRAY_THRESHOLD).any()) for edge in edges),
        grey=(pixels - counts[0] - counts[255]) / pixels,
        packed=np.packbits(np.asarray(small) >= 128),
    )


def intersection_over_union(first: Lesion, second: Lesion) -> float:
    """Of two masks, binarised at > 128 and brought to 128 x 128; 1 where both are empty."""
    a, b = (np.unpackbits(one.packed).astype(bool) for one in (first, second))
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0
