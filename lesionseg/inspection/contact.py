"""What augmentation does to images of one's own, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from PIL import Image
from torch import Tensor

from lesionseg.data.datasets.paired import Pair, PairedDataset
from lesionseg.data.datasets.sample import Sample, draw_sample
from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.data.io.mask_values import OFFICIAL
from lesionseg.data.transforms.augmentation import AUGMENTATION_NAMES, Augmentation
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.visualization import contact_sheet

_TILE = 200


def load_samples(
    sets: Sequence[ImageSet], count: int = 3, size: tuple[int, int] = (192, 256), seed: int = 0
) -> list[Sample]:
    """Read a few images of some sets at random, with their masks where they have one.

    Broken files are passed over.

    Args:
        sets: Where to choose from.
        count: How many images.
        size: Height and width in pixels.
        seed: Of the choice.

    Raises:
        InvalidDataError: If none can be read, or the masks' values are ambiguous.
    """
    data = [_as_trained(one, size) for one in sets]
    jobs = [(one, index) for one in data for index in range(len(one))]
    order = torch.randperm(len(jobs), generator=torch.Generator().manual_seed(seed))
    samples: list[Sample] = []
    for index in order.tolist():
        one, place = jobs[index]
        with suppress(LesionsegError):
            samples.append(one[place])
        if len(samples) == count:
            break
    if not samples:
        raise InvalidDataError(
            f"None of the {len(jobs)} images can be shown; lesionseg inspect without --augment "
            "says what is amiss."
        )
    return samples


class _OfficialDataset(PairedDataset):
    official_rule = OFFICIAL


def _as_trained(one: ImageSet, size: tuple[int, int]) -> PairedDataset:
    """The pairs of a set, or its images where it has no masks, read as training reads them."""
    masks = one.masks
    pairs = [
        Pair(id_, path, None if masks is None else masks[id_])
        for id_, path in one.images.items()
        if masks is None or id_ in masks
    ]
    return (PairedDataset if one.year is None else _OfficialDataset)(pairs, size)


def augmentation_sheet(
    samples: Sequence[Sample],
    names: Sequence[str] = AUGMENTATION_NAMES,
    draws: int = 4,
    seed: int = 0,
) -> Image.Image:
    """Draw samples beside what each augmentation makes of them, masks outlined in green.

    Each augmentation is shown by itself and applied every time, with the other arguments of
    :class:`~lesionseg.data.Augmentation` at their defaults. Several names are shown together too,
    in their order and as often as in training.

    Args:
        samples: With images of one size.
        names: Of augmentations.
        draws: Results for each image.
        seed: Of the draws; the global generator is left as it was.

    Returns:
        RGB: a row for each augmentation and sample, the sample in front.

    Raises:
        LesionsegError: If a name is unknown.
        ValueError: If there is no sample or no name.
    """
    if not samples or not names:
        raise ValueError("an augmentation sheet needs at least one sample and one name")
    blocks = [(name, _every_time(name)) for name in names]
    if 1 < len(names) < len(AUGMENTATION_NAMES):
        blocks.append(("as in training", Augmentation(names)))
    tiles = []
    with torch.random.fork_rng(devices=[]):
        for caption, augmentation in blocks:
            torch.manual_seed(seed)
            for sample in samples:
                tiles.append((draw_sample(sample), sample["id"]))
                for _ in range(draws):
                    tiles.append((draw_sample(_changed(sample, augmentation)), caption))
    return contact_sheet(tiles, columns=1 + draws, width=_TILE)


def _every_time(name: str) -> Augmentation:
    augmentation = Augmentation((name,))
    for transform in augmentation.transforms:
        if hasattr(transform, "probability"):
            setattr(transform, "probability", 1.0)  # noqa: B010 - a module's type knows no such
    return augmentation


def _changed(sample: Sample, augmentation: Augmentation) -> Sample:
    image = sample["image"][None]
    mask: Tensor = sample["mask"][None] if "mask" in sample else torch.zeros_like(image[:, :1])
    image, mask = augmentation(image, mask)
    changed = Sample(image=image[0], id=sample["id"], size=sample["size"])
    if "mask" in sample:
        changed["mask"] = mask[0]
    return changed
