"""What every segmentation network has in common."""

from typing import Any, ClassVar

from torch import Tensor, nn

from lesionseg.guards import check_images


class SegmentationNetwork(nn.Module):
    """Base of the networks: images (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out.

    Attributes:
        size_multiple: Height and width must be multiples of it; 1 if any size works.
        minimum_size: The least height and width.
        default_size: (height, width) that its paper feeds it; for counts of operations.
        paper: Authors, short title, venue and year of its source.
        weights_license: What ``encoder_weights`` downloads and under which license; None where
            the network has no pretrained encoder.
        spec: The "name" and "arguments" it was built with by
            :func:`~lesionseg.networks.create_network`; empty if built by hand.
    """

    size_multiple: int = 1
    minimum_size: int = 1
    default_size: ClassVar[tuple[int, int]] = (192, 256)
    paper: ClassVar[str] = ""
    weights_license: ClassVar[str | None] = None
    spec: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.spec = {}

    def check_image(self, image: Tensor) -> None:
        """Refuse images that the network cannot take.

        Raises:
            ValueError: If the image is not floating point (N, 3, H, W) in [0, 1], smaller than the
                minimum, or not a multiple of :attr:`size_multiple`; the message names what is
                needed. See :func:`lesionseg.guards.check_images` for when values are looked at.
        """
        check_image(type(self).__name__, image, self.size_multiple, self.minimum_size)


def check_image(owner: str, image: Tensor, multiple: int, minimum: int) -> None:
    """Refuse a batch of unfit images; see :meth:`SegmentationNetwork.check_image`."""
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"{owner} takes images (N, 3, H, W), got {tuple(image.shape)}")
    height, width = image.shape[-2:]
    if height < minimum or width < minimum:
        raise ValueError(
            f"{owner} needs a height and width of at least {minimum}, got {height} x {width}; "
            "use larger images"
        )
    if height % multiple or width % multiple:
        raise ValueError(
            f"{owner} needs a height and width that are multiples of {multiple}, "
            f"got {height} x {width}; resize or pad the images"
        )
    check_images(owner, image)


def logit_of_two(scores: Tensor) -> Tensor:
    """Turn the scores of background and lesion, (N, 2, H, W), into logits (N, 1, H, W).

    The sigmoid of their difference is the lesion's share of the softmax over the two.
    """
    logits: Tensor = scores[:, 1:] - scores[:, :1]
    return logits


def he_initialize(module: nn.Module) -> None:
    """Draw the weights of all convolutions inside from N(0, 2 / n) and set their biases to 0.

    n is the number of values that one output value is computed from; for a transposed convolution
    that is its channels times the kernel's area, divided by the stride's.

    Source: He et al., Delving deep into rectifiers (ICCV 2015), section 2.2, forward case.
    """
    for part in module.modules():
        if not isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        inputs = part.in_channels // part.groups * part.kernel_size[0] * part.kernel_size[1]
        if isinstance(part, nn.ConvTranspose2d):
            inputs //= part.stride[0] * part.stride[1]
        nn.init.normal_(part.weight, std=(2 / inputs) ** 0.5)
        if part.bias is not None:
            nn.init.zeros_(part.bias)
