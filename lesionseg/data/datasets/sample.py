"""Samples, and batches of them."""

from collections.abc import Sequence
from typing import TypedDict

from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate
from typing_extensions import NotRequired

from lesionseg.errors import InvalidDataError
from lesionseg.visualization import TRUTH_COLOR, draw_outline, to_picture


class Sample(TypedDict):
    """An image, its mask and its origin.

    Attributes:
        image: Image, float32 (3, H, W) in [0, 1], at the network's size.
        mask: Mask, float32 (1, H, W) in {0, 1}, at the network's size; absent without ground truth.
        id: Name of the image, such as ``ISIC_0012345``.
        size: Original height and width in pixels.
        truth: Mask at the original size, uint8 (h, w); lesion is above 128.

    Example:
        >>> from lesionseg.data import SyntheticLesions
        >>> sample: Sample = SyntheticLesions(length=1, size=(48, 64))[0]
        >>> sample["image"].shape, sample["mask"].shape, sample["id"], sample["size"]
        (torch.Size([3, 48, 64]), torch.Size([1, 48, 64]), 'SYN_0000000', (48, 64))
    """

    image: Tensor
    mask: NotRequired[Tensor]
    id: str
    size: tuple[int, int]
    truth: NotRequired[Tensor]


class Batch(TypedDict):
    """Stacked samples; ``truth`` is a list, because original sizes differ.

    Attributes:
        image: Images, float32 (N, 3, H, W) in [0, 1].
        mask: Masks, float32 (N, 1, H, W) in {0, 1}; absent unless every sample has one.
        id: N names.
        size: N original (height, width).
        truth: N uint8 tensors (h, w); absent unless every sample has one.

    Example:
        >>> from lesionseg.data import SyntheticLesions
        >>> batch: Batch = collate_samples(list(SyntheticLesions(length=2, size=(48, 64))))
        >>> batch["image"].shape, batch["id"]
        (torch.Size([2, 3, 48, 64]), ['SYN_0000000', 'SYN_0000001'])
    """

    image: Tensor
    mask: NotRequired[Tensor]
    id: list[str]
    size: list[tuple[int, int]]
    truth: NotRequired[list[Tensor]]


def draw_sample(sample: Sample) -> Image.Image:
    """Return a sample's image, RGB, with its mask, if it has one, outlined in green."""
    picture = to_picture(sample["image"])
    if "mask" not in sample:
        return picture
    return draw_outline(picture, sample["mask"][0].bool().cpu().numpy(), TRUTH_COLOR)


class SampleRows(list[Sample]):
    """Samples that were read together: the rows of ``batch``, whose memory they share.

    Args:
        batch: A batch.

    Example:
        >>> import torch
        >>> samples = SampleRows({"image": torch.rand(2, 3, 4, 4), "id": ["a", "b"],
        ...                       "size": [(8, 8), (6, 9)]})
        >>> samples[1]["id"], samples[1]["size"], samples[1]["image"].shape
        ('b', (6, 9), torch.Size([3, 4, 4]))
    """

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch
        for row, (id_, size) in enumerate(zip(batch["id"], batch["size"], strict=True)):
            sample = Sample(image=batch["image"][row], id=id_, size=size)
            if "mask" in batch:
                sample["mask"] = batch["mask"][row]
            if "truth" in batch:
                sample["truth"] = batch["truth"][row]
            self.append(sample)


def collate_samples(samples: Sequence[Sample]) -> Batch:
    """Collate samples into a batch: stack images and masks, and list the rest.

    Args:
        samples: At least one sample, with images of one size. The batch of :class:`SampleRows` is
            returned without a copy.

    Returns:
        The batch; it has ``mask`` and ``truth`` if every sample does.

    Raises:
        InvalidDataError: If the images differ in size.

    Example:
        >>> import torch
        >>> samples = [{"image": torch.rand(3, 4, 4), "id": id_, "size": (8, 8)} for id_ in "ab"]
        >>> batch = collate_samples(samples)
        >>> batch["image"].shape, batch["id"]
        (torch.Size([2, 3, 4, 4]), ['a', 'b'])
    """
    if isinstance(samples, SampleRows):
        return samples.batch
    sizes = {tuple(sample["image"].shape[-2:]) for sample in samples}
    if len(sizes) > 1:
        raise InvalidDataError(
            f"expected images of one size in a batch, got {sorted(sizes)}; use transforms that "
            "give all images the same size."
        )
    # In a worker, torch's collate stacks into shared memory; tensors that are moved there later are
    # freed in another thread, and glibc's heap then grows with each epoch.
    batch = Batch(
        image=default_collate([sample["image"] for sample in samples]),
        id=[sample["id"] for sample in samples],
        size=[sample["size"] for sample in samples],
    )
    if all("mask" in sample for sample in samples):
        batch["mask"] = default_collate([sample["mask"] for sample in samples])
    if all("truth" in sample for sample in samples):
        batch["truth"] = [sample["truth"] for sample in samples]
    return batch
