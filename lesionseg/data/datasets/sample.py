"""What data sets give and what networks are fed."""

from collections.abc import Sequence
from typing import TypedDict

from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate
from typing_extensions import NotRequired

from lesionseg.visualization import TRUTH_COLOR, draw_outline, to_picture


class Sample(TypedDict):
    """One image and what is known about it.

    Attributes:
        image: float32 (3, H, W) in [0, 1], at the network's size.
        mask: float32 (1, H, W) in {0, 1}, at the network's size; absent where there is no truth.
        id: name of the image, such as ``ISIC_0012345``.
        size: original height and width in pixels.
        truth: uint8 (h, w), the mask at the original size; lesion is what lies above 128.
    """

    image: Tensor
    mask: NotRequired[Tensor]
    id: str
    size: tuple[int, int]
    truth: NotRequired[Tensor]


class Batch(TypedDict):
    """Samples side by side; ``truth`` stays a list, because original sizes differ.

    Attributes:
        image: float32 (N, 3, H, W) in [0, 1].
        mask: float32 (N, 1, H, W) in {0, 1}; absent unless every sample has one.
        id: N names.
        size: N original (height, width).
        truth: N uint8 tensors (h, w); absent unless every sample has one.
    """

    image: Tensor
    mask: NotRequired[Tensor]
    id: list[str]
    size: list[tuple[int, int]]
    truth: NotRequired[list[Tensor]]


def draw_sample(sample: Sample) -> Image.Image:
    """The sample's image with its mask, where it has one, outlined in green; RGB."""
    picture = to_picture(sample["image"])
    if "mask" not in sample:
        return picture
    return draw_outline(picture, sample["mask"][0].bool().cpu().numpy(), TRUTH_COLOR)


class SampleRows(list[Sample]):
    """Samples that were read at once: the rows of ``batch``, whose memory they share."""

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
    """Put samples into one batch: images and masks stacked, the rest in lists.

    Args:
        samples: at least one sample, all with images of one size. :class:`SampleRows` are in one
            batch already, which is returned without another copy.

    Returns:
        The batch; ``mask`` and ``truth`` are there if every sample has them.
    """
    if isinstance(samples, SampleRows):
        return samples.batch
    # In a worker, torch's own collate stacks into shared memory; what is moved there later is freed
    # in another thread, and glibc's heap then grows epoch by epoch.
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
