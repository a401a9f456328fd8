"""Colour constancy: what an image would look like under white light."""

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def shades_of_grey(
    image: Tensor, degree: float | Sequence[float] = 1.0, power: float = 6.0
) -> Tensor:
    """Estimate the light's colour from each image and divide it out.

    The light is taken to have the colour of the channels' Minkowski means, (mean x^p)^(1/p): p = 1
    is the grey world, and a large p looks at the brightest pixels. Finlayson and Trezzi ("Shades of
    Gray and Colour Constancy", Color Imaging Conference 2004) find 6 best; Barata, Celebi and
    Marques ("Improving Dermoscopy Image Classification Using Color Constancy", IEEE JBHI 19, 2015)
    use it for dermoscopy. Each channel is divided by its share of the light, relative to
    a grey light of the same strength.

    Chosen: it works on the intensities as they are stored, without a gamma correction before, and
    what becomes brighter than 1 is cut off.

    Args:
        image: (N, 3, H, W) in [0, 1], of any floating-point dtype; values outside are clamped.
        degree: how much of the cast is taken out, for all images, or N, one for each: 0 leaves the
            image, 1 makes its light grey; between them the gains are interpolated geometrically.
        power: p, above 0.

    Returns:
        (N, 3, H, W), float32 in [0, 1].

    Raises:
        ValueError: if the shapes or the power make no sense.
    """
    if image.ndim != 4 or image.shape[1] != 3 or image.numel() == 0:
        raise ValueError(
            f"shades_of_grey takes images of shape (N, 3, H, W), not {tuple(image.shape)}."
        )
    if not power > 0:
        raise ValueError(f"power must be above 0: {power}")
    degrees = [degree] * len(image) if isinstance(degree, int | float) else list(degree)
    if len(degrees) != len(image):
        raise ValueError(f"There are {len(degrees)} degrees for {len(image)} images.")
    exponent = torch.tensor(degrees, dtype=torch.float32, device="cpu").view(-1, 1, 1, 1)
    exponent = exponent.to(image.device, non_blocking=True)
    image = image.float().clamp(0, 1)
    light = image.pow(power).mean((2, 3), keepdim=True).pow(1 / power)
    light = light.clamp(min=1e-6)  # a channel that is black stays so
    grey = light.square().mean(1, keepdim=True).sqrt()
    return image.mul_((grey / light).pow(exponent)).clamp_(0, 1)
