"""Random changes of training images, in batches on their device."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lesionseg.data.equalisation import clahe
from lesionseg.errors import LesionsegError

AUGMENTATION_NAMES: tuple[str, ...] = (
    "horizontal_flip",
    "vertical_flip",
    "rotation",
    "scale",
    "gamma",
    "clahe",
)
"""All that an :class:`Augmentation` knows."""


class Augmentation(nn.Module):
    """Named random transforms of a batch of images, and of their masks where they move pixels.

    Draws its parameters for every image by itself, gamma's exponent and CLAHE's clip limit too,
    from torch's global generator of the CPU: the same seed changes images alike on every device.
    Computes in float32 outside autocast, and only what was drawn. Flips move image and mask alike;
    gamma and CLAHE leave the mask. CLAHE is :func:`lesionseg.data.clahe`, which equals
    OpenCV's on 8-bit images: it rounds the images that it changes to 256 levels.

    ASNet's paper (section 2.5) flips left-right. MobileGAN's (section 3) flips both ways, applies
    "gamma reconstruction" and changes the contrast with CLAHE "with different values on the
    original RGB images"; it gives no number. Chosen: each with probability one half;
    gamma 0.7 to 1.5; CLAHE with a clip limit of 1 to 4 (OpenCV's scale) on 8 x 8 tiles of each RGB
    channel.

    Beyond the papers: rotation about the centre by any angle and scaling about it, in kornia,
    bilinear for images and nearest for masks; what comes in from outside is the image reflected.

    Args:
        names: of ``horizontal_flip``, ``vertical_flip``, ``rotation``, ``scale``, ``gamma`` and
            ``clahe``, in the order of their application; none of them makes this an identity.
        flip_probability: of each flip, per image.
        gamma_probability: of the gamma change, per image.
        gamma: range of the exponent on [0, 1] intensities; below 1 brightens.
        clahe_probability: of CLAHE, per image.
        clip_limit: range of CLAHE's contrast limit.
        tiles: rows and columns of CLAHE's grid.
        rotation_probability: of a rotation, per image.
        degrees: range of its angle, counter-clockwise.
        scale_probability: of a change of scale, per image.
        scale: range of its factor; above 1 enlarges.

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
        rotation_probability: float = 0.5,
        degrees: tuple[float, float] = (-180.0, 180.0),
        scale_probability: float = 0.5,
        scale: tuple[float, float] = (0.8, 1.25),
    ) -> None:
        super().__init__()
        probabilities = (
            flip_probability,
            gamma_probability,
            clahe_probability,
            rotation_probability,
            scale_probability,
        )
        if not all(0 <= p <= 1 for p in probabilities):
            raise ValueError(f"Augmentation probabilities must lie in [0, 1]: {probabilities}")
        for name, low_high in (("gamma", gamma), ("clip_limit", clip_limit), ("scale", scale)):
            if not 0 < low_high[0] <= low_high[1]:
                raise ValueError(f"{name} must be a positive (low, high) range: {low_high}")
        if not degrees[0] <= degrees[1]:
            raise ValueError(f"degrees must be a (low, high) range: {degrees}")
        if len(tiles) != 2 or min(tiles) < 1:
            raise ValueError(f"tiles must be rows and columns, each 1 or more: {tiles}")
        makers: dict[str, Callable[[], nn.Module]] = {
            "horizontal_flip": lambda: _Flip(flip_probability, axis=-1),
            "vertical_flip": lambda: _Flip(flip_probability, axis=-2),
            "rotation": lambda: _Rotation(rotation_probability, degrees),
            "scale": lambda: _Scale(scale_probability, scale),
            "gamma": lambda: _Gamma(gamma_probability, gamma),
            "clahe": lambda: _Clahe(clahe_probability, clip_limit, tiles),
        }
        if isinstance(names, str):
            names = (names,)
        if unknown := [name for name in names if name not in makers]:
            raise LesionsegError(
                f"There is no augmentation {unknown[0]!r}; choose from {', '.join(makers)}."
            )
        self.names = tuple(names)
        self.transforms = nn.ModuleList(makers[name]() for name in names)

    @torch.no_grad()
    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch at random.

        Args:
            image: (N, 3, H, W) in [0, 1].
            mask: (N, 1, H, W) in {0, 1}.

        Returns:
            Image, float32 in [0, 1], and mask, float32 in {0, 1}, of the same shapes.
        """
        if not self.transforms:
            return image, mask
        with torch.autocast(image.device.type, enabled=False):
            # Copies, which the transforms may change in place.
            image = image.to(torch.float32, copy=True)
            mask = mask.to(torch.float32, copy=True)
            for transform in self.transforms:
                image, mask = transform(image, mask)
        return image, mask


class _Random(nn.Module, ABC):
    """Changes each image of a batch with some probability, in place, and masks where it must.

    A subclass says what :meth:`change` does; any module that takes and returns image and mask can
    stand beside them.
    """

    moves_pixels = False

    def __init__(self, probability: float, low_high: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.probability = probability
        self.low_high = low_high

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        # Drawn on the CPU: it knows which images they are without waiting for the device.
        chosen = (torch.rand(len(image), device="cpu") < self.probability).nonzero().squeeze(1)
        drawn = torch.zeros(len(chosen), device="cpu")
        if self.low_high is not None:
            drawn.uniform_(*self.low_high)
        for batch in (image, mask) if self.moves_pixels else (image,):
            if batch.device.type == "cpu":
                # One by one, images stay in the cache, and memory is used again, whose fresh pages
                # would cost as much as the work.
                for number, place in enumerate(chosen.tolist()):
                    one = batch[place : place + 1]
                    one.copy_(self.change(one, drawn[number : number + 1]))
            elif len(chosen):
                where = chosen.to(batch.device, non_blocking=True)
                batch.index_copy_(0, where, self.change(batch.index_select(0, where), drawn))
        return image, mask

    @abstractmethod
    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Return the images changed, in place or not, by a number from ``low_high`` for each."""


class _Flip(_Random):
    moves_pixels = True

    def __init__(self, probability: float, axis: int) -> None:
        super().__init__(probability)
        self.axis = axis

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        return images.flip(self.axis)


class _Rotation(_Random):
    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        from kornia.geometry.transform import rotate  # a second to import: not for every command

        angle = drawn.to(images.device, non_blocking=True)
        turned: Tensor = rotate(images, angle, mode=_mode(images), padding_mode="reflection")
        return turned


class _Scale(_Random):
    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        from kornia.geometry.transform import scale

        factor = drawn.to(images.device, non_blocking=True)[:, None].expand(-1, 2)
        scaled: Tensor = scale(images, factor, mode=_mode(images), padding_mode="reflection")
        return scaled


def _mode(images: Tensor) -> str:
    """Masks, which have one channel, stay in {0, 1}."""
    return "nearest" if images.shape[1] == 1 else "bilinear"


class _Gamma(_Random):
    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        exponent = drawn.view(-1, 1, 1, 1).to(images.device, non_blocking=True)
        # Less than torch.pow takes on a CPU.
        return images.clamp_(0, 1).log_().mul_(exponent).exp_()


class _Clahe(_Random):
    def __init__(
        self, probability: float, clip_limit: tuple[float, float], tiles: tuple[int, int]
    ) -> None:
        super().__init__(probability, clip_limit)
        self.tiles = tiles

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        return clahe(images, drawn.tolist(), self.tiles)
