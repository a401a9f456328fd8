"""Read every image and mask of some sets once, in several threads, and list what is broken."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lesionseg.data.discovery.image_set import ImageSet, Problem
from lesionseg.data.discovery.names import check_name
from lesionseg.data.io.mask_values import OFFICIAL, MaskRule
from lesionseg.data.io.reading import find_rule, read_mask, read_thumbnail
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import InvalidDataError, LesionsegError, MaskSizeError, MaskValueError
from lesionseg.inspection.hashing import SIDE, Fingerprint, fingerprint
from lesionseg.metrics.official import GRAY_THRESHOLD

#: Height and width at which masks of different sizes are compared.
COMPARED = (128, 128)
#: Files that are read at the same time: each thread holds a mask at full size.
MAX_THREADS = 8


class Lesion(NamedTuple):
    """Measurements of a mask.

    Attributes:
        size: Height and width in pixels.
        area: Fraction of pixels above 128, 0 to 1.
        touches_border: Whether any of them is in the first or last row or column.
        gray: Fraction of pixels that are neither 0 nor 255.
        packed: The mask binarized at > 128, resized to 128 x 128 and binarized at one half, one bit
            per pixel.
    """

    size: tuple[int, int]
    area: float
    touches_border: bool
    gray: float
    packed: npt.NDArray[np.uint8]


class ImageRecord(NamedTuple):
    """An image and its mask, by one id of a set.

    Attributes:
        set_index: Index of the image set.
        id: Name of the image.
        image: Image file; None if there is none.
        mask: Mask file; None if there is none.
        size: Height and width of the image in pixels; None if it cannot be read.
        fingerprint: What copies are found by; None if the image cannot be read.
        lesion: Measurements of the mask; None if it cannot be read or there is none.
        rule: Which gray values of the set's masks are lesion.

    Example:
        >>> ImageRecord(0, "a", Path("a.jpg"), None, (96, 128), None, None).rule.threshold
        128
    """

    set_index: int
    id: str
    image: Path | None
    mask: Path | None
    size: tuple[int, int] | None
    fingerprint: Fingerprint | None
    lesion: Lesion | None
    rule: MaskRule = OFFICIAL

    @property
    def place(self) -> int:
        """Deprecated name of ``set_index``."""
        warnings.warn("place is now set_index", DeprecationWarning, stacklevel=2)
        return self.set_index

    @property
    def look(self) -> Fingerprint | None:
        """Deprecated name of ``fingerprint``."""
        warnings.warn("look is now fingerprint", DeprecationWarning, stacklevel=2)
        return self.fingerprint


def find_set_rule(image_set: ImageSet) -> MaskRule:
    """Decide which gray values of a set's masks are lesion, as its data set does for training.

    Raises:
        MaskValueError: If the values are ambiguous.
    """
    if image_set.is_official:
        return OFFICIAL
    masks = [pair.mask for pair in image_set.pairs if pair.mask is not None]
    return find_rule(masks or list((image_set.masks or {}).values()))


def read_records(sets: Sequence[ImageSet]) -> tuple[list[ImageRecord], list[Problem]]:
    """Read all files of some sets, with a progress bar if stderr is a terminal.

    Args:
        sets: Image sets.

    Returns:
        A record of each id, by set and id, and all problems: those of the sets, and broken files.
    """
    problems = [problem for image_set in sets for problem in image_set.problems]
    rules: list[MaskRule | None] = []
    for image_set in sets:
        try:
            rules.append(find_set_rule(image_set))
        except InvalidDataError as error:
            path = min((image_set.masks or {}).values())
            problems.append(Problem("mask values", path, str(error)))
            rules.append(None)
    jobs = [(index, id_) for index, image_set in enumerate(sets) for id_ in image_set.ids]
    records = []
    with thread_pool(min(os.cpu_count() or 1, MAX_THREADS)) as pool:
        results = pool.map(lambda job: _read(sets[job[0]], rules[job[0]], *job), jobs)
        for record, found in tqdm(
            results, total=len(jobs), desc="inspect", unit="image", disable=None
        ):
            records.append(record)
            problems += found
    return records, problems


def _read(
    image_set: ImageSet, rule: MaskRule | None, index: int, id_: str
) -> tuple[ImageRecord, list[Problem]]:
    image, mask = image_set.images.get(id_), (image_set.masks or {}).get(id_)
    problems: list[Problem] = []
    if mask is not None and image is None and image_set.images:
        message = f"The mask {mask} has no image; add the image or remove the mask."
        problems.append(Problem("no image", mask, message))
    if image is not None and mask is None and image_set.masks is not None:
        message = f"The image {image} has no mask; add the mask or remove the image."
        problems.append(Problem("no mask", image, message))
    record = ImageRecord(index, id_, image, mask, None, None, None, rule or OFFICIAL)
    if image is not None:
        try:
            # A large JPEG is decoded at a reduced scale.
            thumbnail, size = read_thumbnail(check_name(image), 2 * SIDE)
            record = record._replace(size=size, fingerprint=fingerprint(thumbnail))
        except LesionsegError as error:
            problems.append(Problem(_kind_of(error, image), image, str(error)))
    if mask is not None and rule is not None:
        try:
            record = record._replace(lesion=measure(read_record_mask(record, problems)))
        except LesionsegError as error:
            problems.append(Problem(_kind_of(error, mask), mask, str(error)))
    return record, problems


def read_record_mask(
    record: ImageRecord, problems: list[Problem] | None = None
) -> npt.NDArray[np.uint8]:
    """Read the mask of a record as training does, or at its own size if that is not its image's.

    Args:
        record: A record that has a mask file.
        problems: Receives a problem if the sizes differ.

    Returns:
        uint8 (h, w), lesion above 128.

    Raises:
        LesionsegError: If the mask cannot be read, or its values do not fit the set's rule.
    """
    assert record.mask is not None
    try:
        return read_mask(record.mask, record.size, record.image, record.rule)
    except MaskSizeError as error:
        mask = read_mask(record.mask, rule=record.rule)
        if problems is not None:
            problems.append(Problem("sizes differ", record.mask, str(error)))
        return mask


def _kind_of(error: LesionsegError, path: Path) -> str:
    if isinstance(error, MaskValueError):
        return "mask values"
    try:
        return "unreadable" if path.stat().st_size else "zero bytes"
    except OSError:
        return "unreadable"


def measure(mask: npt.NDArray[np.uint8]) -> Lesion:
    """Measure a mask.

    Args:
        mask: uint8 (h, w), gray values 0 to 255, 1 x 1 or larger.

    Example:
        >>> lesion = measure(np.array([[0, 0, 200, 255]], dtype=np.uint8))
        >>> lesion.area, lesion.touches_border, lesion.gray
        (0.5, True, 0.25)
    """
    picture = Image.fromarray(mask)
    counts = picture.histogram()
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    binary = picture.point([255 * (value > GRAY_THRESHOLD) for value in range(256)])
    small = binary.resize(COMPARED[::-1], Image.Resampling.BILINEAR)
    return Lesion(
        size=(mask.shape[0], mask.shape[1]),
        area=sum(counts[GRAY_THRESHOLD + 1 :]) / mask.size,
        touches_border=any(bool((edge > GRAY_THRESHOLD).any()) for edge in edges),
        gray=(mask.size - counts[0] - counts[255]) / mask.size,
        packed=np.packbits(np.asarray(small) >= 128),
    )


def intersection_over_union(first: Lesion, second: Lesion) -> float:
    """Return the IoU of two masks at 128 x 128; 1 if both are empty."""
    a, b = (np.unpackbits(lesion.packed).astype(bool) for lesion in (first, second))
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0
