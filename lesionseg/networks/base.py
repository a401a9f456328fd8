"""The base class of the networks and what they share."""

import warnings
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from lesionseg.guards import check_images, check_masks


class SegmentationNetwork(nn.Module, ABC):
    """Base of the networks: images (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out.

    Attributes:
        size_multiple: Height and width must be multiples of it; 1 if any size works.
        minimum_size: The least height and width in pixels.
        default_size: (height, width) in the paper; used to count operations.
        paper: Authors, short title, venue and year of its source.
        weights_license: What ``encoder_weights`` downloads and under which license; None where
            the network has no pretrained encoder.
        spec: The "name" and "arguments" of the call of
            :func:`~lesionseg.networks.create_network` that built it; else empty.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lesionseg.networks import SegmentationNetwork
        >>> class Pointwise(SegmentationNetwork):
        ...     size_multiple = 8
        ...
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.head = nn.Conv2d(3, 1, 1)
        ...
        ...     def forward(self, image):
        ...         self.check_image(image)
        ...         return self.head(image)
        >>> Pointwise()(torch.rand(2, 3, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
        >>> Pointwise()(torch.rand(2, 3, 16, 20))
        Traceback (most recent call last):
        ValueError: expected images of Pointwise to have a height and width that are multiples of 8,
        got 16 x 20; resize or pad the images
    """

    size_multiple: int = 1
    minimum_size: int = 1
    default_size: ClassVar[tuple[int, int]] = (192, 256)
    paper: ClassVar[str] = ""
    weights_license: ClassVar[str | None] = None
    spec: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "weights_licence" in vars(cls):
            warnings.warn(
                f"{cls.__name__}.weights_licence is now weights_license; the old name will be "
                "ignored in the next release.",
                FutureWarning,
                stacklevel=2,
            )
            cls.weights_license = vars(cls)["weights_licence"]

    def __init__(self) -> None:
        super().__init__()
        self.spec = {}

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images.

        Args:
            image: Floating point (N, 3, H, W) in [0, 1].

        Returns:
            Logits (N, 1, H, W).
        """

    def check_image(self, image: Tensor) -> None:
        """Refuse images that the network cannot process.

        Raises:
            ValueError: If the images are not floating point (N, 3, H, W) in [0, 1], smaller than
                :attr:`minimum_size`, or no multiples of :attr:`size_multiple`. See
                :func:`lesionseg.guards.check_images` for when values are checked.
        """
        check_image(type(self).__name__, image, self.size_multiple, self.minimum_size)


def check_image(owner: str, image: Tensor, multiple: int, minimum: int) -> None:
    """Refuse a batch of invalid images; see :meth:`SegmentationNetwork.check_image`."""
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"expected images of {owner} to be (N, 3, H, W), got {tuple(image.shape)}")
    height, width = image.shape[-2:]
    if height < minimum or width < minimum:
        raise ValueError(
            f"expected images of {owner} to have a height and width of at least {minimum}, "
            f"got {height} x {width}; use larger images"
        )
    if height % multiple or width % multiple:
        raise ValueError(
            f"expected images of {owner} to have a height and width that are multiples of "
            f"{multiple}, got {height} x {width}; resize or pad the images"
        )
    check_images(owner, image)


def check_pair(owner: str, image: Tensor, mask: Tensor, multiple: int, minimum: int) -> None:
    """Refuse a batch of invalid images, or of masks that do not fit them.

    Raises:
        ValueError: As :func:`check_image`, or if the masks are not (N, 1, H, W) in [0, 1].
    """
    check_image(owner, image, multiple, minimum)
    expected = (image.shape[0], 1, *image.shape[2:])
    if mask.shape != expected:
        raise ValueError(f"expected masks of {owner} to be {expected}, got {tuple(mask.shape)}")
    check_masks(owner, mask)


def logit_of_two(scores: Tensor) -> Tensor:
    """Turn the scores of background and lesion, (N, 2, H, W), into logits (N, 1, H, W).

    The sigmoid of their difference is the lesion's softmax probability.
    """
    logits: Tensor = scores[:, 1:] - scores[:, :1]
    return logits


def he_initialize(module: nn.Module) -> None:
    """Draw the weights of a module's convolutions from N(0, 2 / n) and set their biases to 0.

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
