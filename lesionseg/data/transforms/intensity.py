"""Changes of brightness, contrast, sharpness and color, which leave the mask unchanged."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.data.transforms.base import RandomChange
from lesionseg.data.transforms.clahe import clahe
from lesionseg.data.transforms.color_constancy import shades_of_gray


class Gamma(RandomChange):
    """Raise intensities to an exponent from ``low_high``."""

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Brighten or darken, in place."""
        exponent = drawn.view(-1, 1, 1, 1).to(images.device, non_blocking=True)
        # faster than torch.pow on a CPU
        return images.clamp_(0, 1).log_().mul_(exponent).exp_()


class Clahe(RandomChange):
    """Equalize the histograms of tiles by :func:`lesionseg.data.clahe`."""

    def __init__(
        self, probability: float, clip_limit: tuple[float, float], tiles: tuple[int, int]
    ) -> None:
        super().__init__(probability, clip_limit)
        self.tiles = tiles

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Equalize."""
        return clahe(images, drawn.tolist(), self.tiles)


class Resolution(RandomChange):
    """Shrink an image by a factor from ``low_high`` and enlarge it again."""

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Remove the detail that the smaller image lacks."""
        height, width = images.shape[-2:]
        changed = []
        for number, factor in enumerate(drawn.tolist()):
            image = images[number : number + 1]
            smaller = (max(round(height / factor), 1), max(round(width / factor), 1))
            reduced = F.interpolate(image, smaller, mode="bilinear", antialias=True)
            changed.append(F.interpolate(reduced, (height, width), mode="bilinear"))
        return torch.cat(changed).clamp_(0, 1)


class ColorConstancy(RandomChange):
    """Remove the color of the light to a degree from ``low_high``."""

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Correct by shades of gray."""
        return shades_of_gray(images, drawn.tolist())


class ColorJitter(RandomChange):
    """Change brightness, contrast, saturation and hue, in this order.

    Args:
        probability: Probability of a change, per image.
        most: Largest deviation of the factors of brightness, contrast and saturation from 1, and
            largest rotation of the hue, in turns of the color circle, as torchvision's
            ``ColorJitter``.
    """

    def __init__(self, probability: float, most: tuple[float, float, float, float]) -> None:
        super().__init__(probability)
        self.most = most

    def draw(self, count: int) -> Tensor:
        """Draw three factors and an angle in radians, (count, 4)."""
        drawn = torch.empty(count, 4, device="cpu").uniform_(-1, 1)
        drawn *= torch.tensor(self.most, device="cpu")
        drawn[:, :3] += 1
        drawn[:, :3].clamp_(min=0)
        drawn[:, 3] *= 2 * math.pi
        return drawn

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Change the colors."""
        from kornia import enhance

        brightness, contrast, saturation, hue = drawn.to(images.device, non_blocking=True).unbind(1)
        changed = enhance.adjust_brightness_accumulative(images, brightness)
        changed = enhance.adjust_contrast_with_mean_subtraction(changed, contrast)
        changed = enhance.adjust_saturation_with_gray_subtraction(changed, saturation)
        if self.most[3] > 0:  # the slowest of the four
            changed = enhance.adjust_hue(changed, hue)
        jittered: Tensor = changed.clamp_(0, 1)
        return jittered
