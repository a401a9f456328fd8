"""Random changes of training images, in batches on their device."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from kornia import augmentation as K
from torch import Tensor, nn

from lesionseg.errors import LesionsegError


class Augmentation(nn.Module):
    """Named random transforms of a batch of images, and of their masks where they move pixels.

    Draws its parameters for every image by itself from torch's global generator, and computes in
    float32 outside autocast. Flips move image and mask alike; gamma and CLAHE leave the mask.

    ASNet's paper (section 2.5) flips left-right. MobileGAN's (section 3) flips both ways, applies
    "gamma reconstruction" and changes the contrast with CLAHE "with different values on the
    original RGB images"; it gives no number. Chosen: each with probability one half;
    gamma 0.7 to 1.5; CLAHE with a clip limit of 1 to 4 (OpenCV's scale) on 8 x 8 tiles of each RGB
    channel. CLAHE needs images of more than 8 x 8 pixels. kornia 0.8, the last for Python 3.10,
    draws one clip limit for all images of a batch; later ones draw one for each.

    Args:
        names: of ``horizontal_flip``, ``vertical_flip``, ``gamma`` and ``clahe``, in the order of
            their application; none of them makes this an identity.
        flip_probability: of each flip, per image.
        gamma_probability: of the gamma change, per image.
        gamma: range of the exponent on [0, 1] intensities; below 1 brightens.
        clahe_probability: of CLAHE, per image.
        clip_limit: range of CLAHE's contrast limit.
        tiles: rows and columns of CLAHE's grid.

    Raises:
        LesionsegError: if a name is unknown.
        ValueError: if a probability or a range makes no sense.
    """

    def __init__(
        self,
        names: Sequence[str] = ("horizontal_flip",),
        flip_probability: float = 0.5,
        gamma_probability: float = 0.5,
        gamma: tuple[float, float] = (0.7, 1.5),
        clahe_probability: float = 0.5,
        clip_limit: tuple[float, float] = (1.0, 4.0),
        tiles: tuple[int, int] = (8, 8),
    ) -> None:
        super().__init__()
        probabilities = (flip_probability, gamma_probability, clahe_probability)
        if not all(0 <= p <= 1 for p in probabilities):
            raise ValueError(f"Augmentation probabilities must lie in [0, 1]: {probabilities}")
        for name, low_high in (("gamma", gamma), ("clip_limit", clip_limit)):
            if not 0 < low_high[0] <= low_high[1]:
                raise ValueError(f"{name} must be a positive (low, high) range: {low_high}")
        makers: dict[str, Callable[[], Any]] = {
            "horizontal_flip": lambda: K.RandomHorizontalFlip(p=flip_probability),
            "vertical_flip": lambda: K.RandomVerticalFlip(p=flip_probability),
            "gamma": lambda: K.RandomGamma(gamma=gamma, p=gamma_probability),
            "clahe": lambda: K.RandomClahe(
                clip_limit=clip_limit, grid_size=tiles, p=clahe_probability
            ),
        }
        if isinstance(names, str):
            names = (names,)
        if unknown := [name for name in names if name not in makers]:
            raise LesionsegError(
                f"There is no augmentation {unknown[0]!r}; choose from {', '.join(makers)}."
            )
        self.names = tuple(names)
        self.transforms: nn.Module | None = None
        if names:
            self.transforms = K.AugmentationSequential(
                *(makers[name]() for name in names),
                data_keys=["input", "mask"],
            )

    @torch.no_grad()
    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch at random.

        Args:
            image: (N, 3, H, W) in [0, 1].
            mask: (N, 1, H, W) in {0, 1}.

        Returns:
            Image, float32 in [0, 1], and mask, float32 in {0, 1}, of the same shapes.
        """
        if self.transforms is None:
            return image, mask
        with torch.autocast(image.device.type, enabled=False):
            changed, moved = self.transforms(image.float(), mask.float())
        # CLAHE's interpolation may leave [0, 1] by a rounding error.
        return changed.clamp(0, 1), moved
