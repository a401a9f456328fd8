"""Random changes of training images, in batches on their device."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

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
    ColourConstancy,
    ColourJitter,
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
    "colour_constancy",
    "colour_jitter",
    "hair",
)
"""All that an :class:`Augmentation` knows."""


#: What changes no pixel's value, and goes on while augmentation is weakened.
_EXACT = ("horizontal_flip", "vertical_flip", "transposition")


class Augmentation(nn.Module):
    """Named random transforms of a batch of images, and of their masks where they move pixels.

    Draws its parameters for every image by itself, gamma's exponent and CLAHE's clip limit too,
    from torch's global generator of the CPU: the same seed changes images alike on every device.
    Computes in float32 outside autocast, and only what was drawn. Flips, transposition,
    translation, rotation, scale and elastic move image and mask alike; the others leave the mask.
    CLAHE is
    :func:`lesionseg.data.clahe`, which equals OpenCV's on 8-bit images: it rounds the images that
    it changes to 256 levels.

    ASNet's paper (section 2.5) flips left-right. MobileGAN's (section 3) flips both ways, applies
    "gamma reconstruction" and changes the contrast with CLAHE "with different values on the
    original RGB images"; it gives no number. Chosen: each with probability one half;
    gamma 0.7 to 1.5; CLAHE with a clip limit of 1 to 4 (OpenCV's scale) on 8 x 8 tiles of each RGB
    channel.

    Beyond the papers, each with probability one half too:

    - ``transposition`` of rows and columns, of square images only.
    - ``translation`` by up to a tenth of each side.
    - ``resolution``: images are shrunk by a factor of 1 to 2 and enlarged again.
    - ``rotation`` about the centre by any angle and ``scale`` about it, in kornia.
    - ``elastic``: the points of a 4 x 4 grid move by normal random numbers with a deviation of 1 to
      3 % of the shorter side, and everything between them by bicubic interpolation, as in U-Net's
      paper (Ronneberger et al., 2015, section 3.1: 3 x 3 points, 10 pixels).
    - ``colour_constancy``: :func:`lesionseg.data.shades_of_grey` takes half to all of the light's
      colour out. A random light is not put in its place: what it could be is not known;
      ``colour_jitter`` comes close to one.
    - ``colour_jitter``: brightness, contrast and saturation by up to 20 %, hue by up to 2 % of the
      colour circle (skin is orange under every lamp), in kornia.
    - ``hair``: 2 to 40 hairs as :class:`lesionseg.data.SyntheticLesions` draws them, on the CPU.

    Where pixels move, images are interpolated bilinearly and masks take the nearest pixel; what
    comes in from outside is the image reflected.

    Attributes:
        weakened: If True, only flips and transpositions are applied.

    Args:
        names: of :data:`AUGMENTATION_NAMES`, in the order of their application; none of them makes
            this an identity.
        flip_probability: of each flip, per image.
        gamma_probability: of the gamma change, per image.
        gamma: range of the exponent on [0, 1] intensities; below 1 brightens.
        clahe_probability: of CLAHE, per image.
        clip_limit: range of CLAHE's contrast limit.
        tiles: rows and columns of CLAHE's grid.
        transposition_probability: Of a transposition, per image.
        translation_probability: Of a translation, per image.
        translation: The largest move, in shares of height and width; below 1.
        resolution_probability: Of a loss of resolution, per image.
        resolution: Range of the factor by which an image is shrunk; from 1 up.
        rotation_probability: of a rotation, per image.
        degrees: range of its angle, counter-clockwise.
        scale_probability: of a change of scale, per image.
        scale: range of its factor; above 1 enlarges.
        elastic_probability: of an elastic deformation, per image.
        displacement: range of the standard deviation of its control points' moves along each
            axis, in shares of the shorter side.
        control_points: rows and columns of its grid.
        colour_constancy_probability: of colour constancy, per image.
        colour_constancy: range of its degree; 0 changes nothing, 1 makes the light grey.
        colour_jitter_probability: of a change of colours, per image.
        colour_jitter: how far the factors of brightness, contrast and saturation may be from 1,
            and how far the hue may turn, in turns of the colour circle.
        hair_probability: of hairs, per image.
        hairs: range of their number.

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
        elastic_probability: float = 0.5,
        displacement: tuple[float, float] = (0.01, 0.03),
        control_points: tuple[int, int] = (4, 4),
        colour_constancy_probability: float = 0.5,
        colour_constancy: tuple[float, float] = (0.5, 1.0),
        colour_jitter_probability: float = 0.5,
        colour_jitter: tuple[float, float, float, float] = (0.2, 0.2, 0.2, 0.02),
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
            colour_constancy_probability,
            colour_jitter_probability,
            hair_probability,
            transposition_probability,
            translation_probability,
            resolution_probability,
        )
        if not all(0 <= p <= 1 for p in probabilities):
            raise ValueError(f"Augmentation probabilities must lie in [0, 1]: {probabilities}")
        for name, low_high in (
            ("gamma", gamma),
            ("clip_limit", clip_limit),
            ("scale", scale),
            ("displacement", displacement),
        ):
            if not 0 < low_high[0] <= low_high[1]:
                raise ValueError(f"{name} must be a positive (low, high) range: {low_high}")
        if not degrees[0] <= degrees[1]:
            raise ValueError(f"degrees must be a (low, high) range: {degrees}")
        if len(tiles) != 2 or min(tiles) < 1:
            raise ValueError(f"tiles must be rows and columns, each 1 or more: {tiles}")
        if len(control_points) != 2 or min(control_points) < 2:
            raise ValueError(
                f"control_points must be rows and columns, each 2 or more: {control_points}"
            )
        if not 0 <= colour_constancy[0] <= colour_constancy[1] <= 1:
            raise ValueError(f"colour_constancy must be a range within [0, 1]: {colour_constancy}")
        if len(colour_jitter) != 4 or min(colour_jitter) < 0 or colour_jitter[3] > 0.5:
            raise ValueError(
                "colour_jitter must be four numbers, none below 0 and the last, the hue's, not "
                f"above 0.5: {colour_jitter}"
            )
        if not 0 <= translation < 1:
            raise ValueError(f"translation must lie in [0, 1), got {translation}")
        if not 1 <= resolution[0] <= resolution[1]:
            raise ValueError(f"resolution must be a (low, high) range from 1 up, got {resolution}")
        if not 1 <= hairs[0] <= hairs[1]:
            raise ValueError(f"hairs must be a (low, high) range from 1 on: {hairs}")
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
            "colour_constancy": lambda: ColourConstancy(
                colour_constancy_probability, colour_constancy
            ),
            "colour_jitter": lambda: ColourJitter(colour_jitter_probability, colour_jitter),
            "hair": lambda: Hair(hair_probability, hairs),
        }
        if isinstance(names, str):
            names = (names,)
        if unknown := [name for name in names if name not in AUGMENTATION_NAMES]:
            raise LesionsegError(
                f"There is no augmentation {unknown[0]!r}; "
                f"choose from {', '.join(AUGMENTATION_NAMES)}."
            )
        self.names = tuple(names)
        self.kept_when_weakened = {number for number, name in enumerate(names) if name in _EXACT}
        self.weakened = False
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
            for number, transform in enumerate(self.transforms):
                if not self.weakened or number in self.kept_when_weakened:
                    image, mask = transform(image, mask)
        return image, mask
