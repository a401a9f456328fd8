"""Color constancy: the image under white light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lesionseg._moved import renamed

if not TYPE_CHECKING:  # which would believe that the module has every name
    __getattr__ = renamed(__name__, {"shades_of_grey": "shades_of_gray"})


@torch.no_grad()
def shades_of_gray(
    image: Tensor, degree: float | Sequence[float] = 1.0, power: float = 6.0
) -> Tensor:
    """Estimate the color of the light in each image and remove it.

    The color of the light is estimated by the channels' Minkowski means, (mean x^p)^(1/p): p = 1 is
    the gray-world assumption, and a large p weights the brightest pixels. Finlayson and Trezzi
    ("Shades of Gray and Colour Constancy", Color Imaging Conference 2004) find p = 6 best; Barata,
    Celebi and Marques ("Improving Dermoscopy Image Classification Using Color Constancy", IEEE JBHI
    19, 2015) use it for dermoscopy. Each channel is divided by its share of the light, relative to
    a gray light of the same strength.

    Chosen here: stored intensities are used without a gamma correction, and results are clamped to
    1.

    Args:
        image: Images (N, 3, H, W) in [0, 1], of any floating-point dtype; values outside are
            clamped.
        degree: How much of the color cast is removed, for all images or for each of the N: 0 leaves
            the image, 1 makes its light gray; gains between them are interpolated geometrically.
        power: The exponent p, above 0.

    Returns:
        Images (N, 3, H, W), float32 in [0, 1].

    Raises:
        ValueError: If the shapes or the power are invalid.

    Example:
        >>> import torch
        >>> reddish = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
        >>> shades_of_gray(reddish)[0, :, 0, 0]
        tensor([0.4761, 0.4761, 0.4761])
    """
    if image.ndim != 4 or image.shape[1] != 3 or image.numel() == 0:
        raise ValueError(f"expected image to be of shape (N, 3, H, W), got {tuple(image.shape)}")
    if not power > 0:
        raise ValueError(f"expected power to be above 0, got {power}")
    degrees = [degree] * len(image) if isinstance(degree, int | float) else list(degree)
    if len(degrees) != len(image):
        raise ValueError(
            f"expected degree to be {len(image)} numbers, one per image, got {len(degrees)}"
        )
    exponent = torch.tensor(degrees, dtype=torch.float32, device="cpu").view(-1, 1, 1, 1)
    exponent = exponent.to(image.device, non_blocking=True)
    image = image.float().clamp(0, 1)
    light = image.pow(power).mean((2, 3), keepdim=True).pow(1 / power)
    light = light.clamp(min=1e-6)  # black channels stay black
    gray = light.square().mean(1, keepdim=True).sqrt()
    return image.mul_((gray / light).pow(exponent)).clamp_(0, 1)
