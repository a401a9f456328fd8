"""Show what augmentation does to a data set's images, on a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from PIL import Image
from torch import Tensor

from lesionseg.data.datasets.paired import PairedDataset
from lesionseg.data.datasets.sample import Sample, draw_sample
from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.data.io.mask_values import OFFICIAL
from lesionseg.data.transforms.augmentation import AUGMENTATION_NAMES, Augmentation
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.visualization import contact_sheet

_TILE = 200


class _OfficialDataset(PairedDataset):
    official_rule = OFFICIAL


def load_samples(
    sets: Sequence[ImageSet], count: int = 3, size: tuple[int, int] = (192, 256), seed: int = 0
) -> list[Sample]:
    """Read random samples of some sets as training reads them; broken files are skipped.

    Args:
        sets: Image sets to choose from.
        count: Number of samples.
        size: Height and width in pixels.
        seed: Seed of the choice.

    Returns:
        Samples, with a mask where the set has masks.

    Raises:
        InvalidDataError: If no sample can be read, or the masks' values are ambiguous.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from lesionseg.inspection import find_sets
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48)).save(Path(folder, "a.png"))
        ...     (sample,) = load_samples(find_sets([folder]), count=1, size=(24, 32))
        >>> sample["id"], sample["image"].shape, sample["size"]
        ('a', torch.Size([3, 24, 32]), (48, 64))
    """
    data = [
        (_OfficialDataset if image_set.is_official else PairedDataset)(image_set.pairs, size)
        for image_set in sets
    ]
    jobs = [(dataset, index) for dataset in data for index in range(len(dataset))]
    order = torch.randperm(len(jobs), generator=torch.Generator().manual_seed(seed))
    samples: list[Sample] = []
    for number in order.tolist():
        dataset, index = jobs[number]
        with suppress(LesionsegError):
            samples.append(dataset[index])
        if len(samples) == count:
            break
    if not samples:
        raise InvalidDataError(
            f"None of the {len(jobs)} images can be read; run lesionseg inspect without --augment "
            "to see why."
        )
    return samples


def augmentation_sheet(
    samples: Sequence[Sample],
    names: Sequence[str] = AUGMENTATION_NAMES,
    draws: int = 4,
    seed: int = 0,
) -> Image.Image:
    """Draw samples next to augmented ones, with masks outlined in green.

    Each augmentation is shown separately and applied every time, with the other arguments of
    :class:`~lesionseg.data.Augmentation` at their defaults. Several names are also shown together,
    in their order and as often as in training.

    Args:
        samples: Samples with images of one size.
        names: Names of augmentations.
        draws: Number of results for each image.
        seed: Seed of the draws; the global random state is left unchanged.

    Returns:
        RGB image: a row for each augmentation and sample, starting with the sample itself.

    Raises:
        LesionsegError: If a name is unknown.
        ValueError: If there is no sample or no name.

    Example:
        >>> from lesionseg.data import SyntheticLesions
        >>> samples = [SyntheticLesions(length=1, size=(48, 64))[0]]
        >>> augmentation_sheet(samples, ["rotation"], draws=2).size  # 3 tiles of 200 x 150
        (632, 188)
    """
    if not samples or not names:
        raise ValueError(
            "expected at least one sample and one name, "
            f"got {len(samples)} samples and {len(names)} names"
        )
    blocks = [(name, _always(name)) for name in names]
    if 1 < len(names) < len(AUGMENTATION_NAMES):
        blocks.append(("as in training", Augmentation(names)))
    tiles = []
    with torch.random.fork_rng(devices=[]):
        for caption, augmentation in blocks:
            torch.manual_seed(seed)
            for sample in samples:
                tiles.append((draw_sample(sample), sample["id"]))
                for _ in range(draws):
                    tiles.append((draw_sample(_augment(sample, augmentation)), caption))
    return contact_sheet(tiles, columns=1 + draws, width=_TILE)


def _always(name: str) -> Augmentation:
    augmentation = Augmentation((name,))
    for transform in augmentation.transforms:
        if hasattr(transform, "probability"):
            setattr(transform, "probability", 1.0)  # noqa: B010 - not an attribute of every module
    return augmentation


def _augment(sample: Sample, augmentation: Augmentation) -> Sample:
    image = sample["image"][None]
    mask: Tensor = sample["mask"][None] if "mask" in sample else torch.zeros_like(image[:, :1])
    image, mask = augmentation(image, mask)
    augmented = Sample(image=image[0], id=sample["id"], size=sample["size"])
    if "mask" in sample:
        augmented["mask"] = mask[0]
    return augmented
