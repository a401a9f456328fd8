"""Random changes of training batches, on their device."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lesionseg._moved import renamed_arguments, warn_renamed
from lesionseg.data.transforms.geometry import (
    Elastic,
    Flip,
    Rotation,
    Scale,
    Translation,
    Transposition,
)
from lesionseg.data.transforms.hair import Hair
from lesionseg.data.transforms.intensity import (
    Clahe,
    ColorConstancy,
    ColorJitter,
    Gamma,
    Resolution,
)
from lesionseg.errors import LesionsegError

AUGMENTATION_NAMES: tuple[str, ...] = (
    "horizontal_flip",
    "vertical_flip",
    "transposition",
    "translation",
    "rotation",
    "scale",
    "elastic",
    "gamma",
    "clahe",
    "resolution",
    "color_constancy",
    "color_jitter",
    "hair",
)
"""Names of the transforms of an :class:`Augmentation`."""

#: These change no pixel's value, and remain when augmentation is weakened.
_EXACT = ("horizontal_flip", "vertical_flip", "transposition")

_RENAMED = {"colour_constancy": "color_constancy", "colour_jitter": "color_jitter"}


def current_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of augmentations with those of version 0.1 replaced, with a warning."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name in _RENAMED:
            warn_renamed(f"the augmentation {name}", _RENAMED[name])
    return tuple(_RENAMED.get(name, name) for name in names)


class Augmentation(nn.Module):
    """Apply named random transforms to a batch of images, and to their masks if pixels move.

    Parameters are drawn per image, from torch's global generator of the CPU: a seed changes images
    identically on every device. Computes in float32 outside autocast. Flips, transposition,
    translation, rotation, scale and elastic move image and mask alike; the others leave the mask
    unchanged. CLAHE is :func:`lesionseg.data.clahe`, which equals OpenCV's on 8-bit images: it
    rounds the images that it changes to 256 levels.

    ASNet's paper (section 2.5) flips left-right. MobileGAN's (section 3) flips both ways, applies
    "gamma reconstruction" and changes the contrast with CLAHE "with different values on the
    original RGB images", without numbers. Chosen here: probability 0.5 each; gamma 0.7 to 1.5;
    CLAHE with a clip limit of 1 to 4 (OpenCV's scale) on 8 x 8 tiles of each RGB channel.

    Not from the papers, with probability 0.5 each:

    - ``transposition`` of rows and columns, of square images only.
    - ``translation`` by up to a tenth of each side.
    - ``resolution``: images are shrunk by a factor of 1 to 2 and enlarged again.
    - ``rotation`` about the center by any angle and ``scale`` about it, by kornia.
    - ``elastic``: the points of a 4 x 4 grid move by normal random numbers with a standard
      deviation of 1 to 3 % of the shorter side, and the pixels between them by bicubic
      interpolation, as in U-Net's paper (Ronneberger et al., 2015, section 3.1: 3 x 3 points, 10
      pixels).
    - ``color_constancy``: :func:`lesionseg.data.shades_of_gray` removes half to all of the color of
      the light. No random light replaces it, because its distribution is unknown;
      ``color_jitter`` comes close.
    - ``color_jitter``: brightness, contrast and saturation by up to 20 %, hue by up to 2 % of the
      color circle (skin is orange under every lamp), by kornia.
    - ``hair``: 2 to 40 hairs as :class:`lesionseg.data.SyntheticLesions` draws them, on the CPU.

    Where pixels move, images are interpolated bilinearly and masks take the nearest pixel; areas
    from outside the image are filled by reflection.

    Attributes:
        names: Names of the transforms, in the order of application.
        weakened: If True, only flips and transpositions are applied.

    Args:
        names: From :data:`AUGMENTATION_NAMES`, in the order of application; an empty list makes
            this an identity.
        flip_probability: Probability of each flip, per image, as for all probabilities.
        gamma_probability: Probability of a gamma change.
        gamma: Range of the exponent of intensities in [0, 1]; below 1 brightens.
        clahe_probability: Probability of CLAHE.
        clip_limit: Range of CLAHE's contrast limit.
        tiles: Rows and columns of CLAHE's grid.
        transposition_probability: Probability of a transposition.
        translation_probability: Probability of a translation.
        translation: Largest shift, as a fraction of height and width; below 1.
        resolution_probability: Probability of a loss of resolution.
        resolution: Range of the factor by which an image is shrunk; at least 1.
        rotation_probability: Probability of a rotation.
        degrees: Range of the angle in degrees, counter-clockwise.
        scale_probability: Probability of a change of scale.
        scale: Range of the factor; above 1 enlarges.
        elastic_probability: Probability of an elastic deformation.
        displacement: Range of the standard deviation of the control points' displacements along
            each axis, as a fraction of the shorter side.
        control_points: Rows and columns of the grid of control points.
        color_constancy_probability: Probability of color constancy.
        color_constancy: Range of its degree; 0 changes nothing, 1 makes the light gray.
        color_jitter_probability: Probability of a change of colors.
        color_jitter: Largest deviation of the factors of brightness, contrast and saturation from
            1, and largest rotation of the hue, in turns of the color circle.
        hair_probability: Probability of hairs.
        hairs: Range of the number of hairs.

    Raises:
        LesionsegError: If a name is unknown.
        ValueError: If a probability or a range is invalid.

    Example:
        >>> import torch
        >>> augment = Augmentation(["horizontal_flip", "gamma"], flip_probability=1.0)
        >>> mask = torch.tensor([[1.0, 0.0, 0.0]]).expand(2, 1, 4, 3)
        >>> images, masks = augment(torch.rand(2, 3, 4, 3), mask)
        >>> images.shape, masks[0, 0, 0]
        (torch.Size([2, 3, 4, 3]), tensor([0., 0., 1.]))
    """

    @renamed_arguments(
        colour_constancy_probability="color_constancy_probability",
        colour_constancy="color_constancy",
        colour_jitter_probability="color_jitter_probability",
        colour_jitter="color_jitter",
    )
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
        elastic_probability: float = 0.5,
        displacement: tuple[float, float] = (0.01, 0.03),
        control_points: tuple[int, int] = (4, 4),
        color_constancy_probability: float = 0.5,
        color_constancy: tuple[float, float] = (0.5, 1.0),
        color_jitter_probability: float = 0.5,
        color_jitter: tuple[float, float, float, float] = (0.2, 0.2, 0.2, 0.02),
        hair_probability: float = 0.5,
        hairs: tuple[int, int] = (2, 40),
        transposition_probability: float = 0.5,
        translation_probability: float = 0.5,
        translation: float = 0.1,
        resolution_probability: float = 0.5,
        resolution: tuple[float, float] = (1.0, 2.0),
    ) -> None:
        super().__init__()
        probabilities = (
            flip_probability,
            gamma_probability,
            clahe_probability,
            rotation_probability,
            scale_probability,
            elastic_probability,
            color_constancy_probability,
            color_jitter_probability,
            hair_probability,
            transposition_probability,
            translation_probability,
            resolution_probability,
        )
        if not all(0 <= p <= 1 for p in probabilities):
            raise ValueError(f"expected probabilities to be in [0, 1], got {probabilities}")
        for name, low_high in (
            ("gamma", gamma),
            ("clip_limit", clip_limit),
            ("scale", scale),
            ("displacement", displacement),
        ):
            if not 0 < low_high[0] <= low_high[1]:
                raise ValueError(
                    f"expected {name} to be a positive (low, high) range, got {low_high}"
                )
        if not degrees[0] <= degrees[1]:
            raise ValueError(f"expected degrees to be a (low, high) range, got {degrees}")
        if len(tiles) != 2 or min(tiles) < 1:
            raise ValueError(f"expected tiles to be two numbers of at least 1, got {tiles}")
        if len(control_points) != 2 or min(control_points) < 2:
            raise ValueError(
                f"expected control_points to be two numbers of at least 2, got {control_points}"
            )
        if not 0 <= color_constancy[0] <= color_constancy[1] <= 1:
            raise ValueError(
                f"expected color_constancy to be a range in [0, 1], got {color_constancy}"
            )
        if len(color_jitter) != 4 or min(color_jitter) < 0 or color_jitter[3] > 0.5:
            raise ValueError(
                "expected color_jitter to be four numbers of at least 0, the last, for the hue, at "
                f"most 0.5, got {color_jitter}"
            )
        if not 0 <= translation < 1:
            raise ValueError(f"expected translation to be in [0, 1), got {translation}")
        if not 1 <= resolution[0] <= resolution[1]:
            raise ValueError(
                f"expected resolution to be a (low, high) range of at least 1, got {resolution}"
            )
        if not 1 <= hairs[0] <= hairs[1]:
            raise ValueError(f"expected hairs to be a (low, high) range of at least 1, got {hairs}")
        makers: dict[str, Callable[[], nn.Module]] = {
            "horizontal_flip": lambda: Flip(flip_probability, axis=-1),
            "vertical_flip": lambda: Flip(flip_probability, axis=-2),
            "transposition": lambda: Transposition(transposition_probability),
            "translation": lambda: Translation(translation_probability, translation),
            "rotation": lambda: Rotation(rotation_probability, degrees),
            "scale": lambda: Scale(scale_probability, scale),
            "elastic": lambda: Elastic(elastic_probability, displacement, control_points),
            "gamma": lambda: Gamma(gamma_probability, gamma),
            "clahe": lambda: Clahe(clahe_probability, clip_limit, tiles),
            "resolution": lambda: Resolution(resolution_probability, resolution),
            "color_constancy": lambda: ColorConstancy(color_constancy_probability, color_constancy),
            "color_jitter": lambda: ColorJitter(color_jitter_probability, color_jitter),
            "hair": lambda: Hair(hair_probability, hairs),
        }
        names = current_names(names)
        if unknown := [name for name in names if name not in AUGMENTATION_NAMES]:
            raise LesionsegError(
                f"there is no augmentation {unknown[0]!r}; "
                f"choose from {', '.join(AUGMENTATION_NAMES)}."
            )
        self.names = names
        self.kept_when_weakened = {number for number, name in enumerate(names) if name in _EXACT}
        self.weakened = False
        self.transforms = nn.ModuleList(makers[name]() for name in names)

    @torch.no_grad()
    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch at random.

        Args:
            image: Images (N, 3, H, W) in [0, 1].
            mask: Masks (N, 1, H, W) in {0, 1}.

        Returns:
            Images, float32 in [0, 1], and masks, float32 in {0, 1}, of the same shapes.
        """
        if not self.transforms:
            return image, mask
        with torch.autocast(image.device.type, enabled=False):
            # copies: the transforms may change them in place
            image = image.to(torch.float32, copy=True)
            mask = mask.to(torch.float32, copy=True)
            for number, transform in enumerate(self.transforms):
                if not self.weakened or number in self.kept_when_weakened:
                    image, mask = transform(image, mask)
        return image, mask
