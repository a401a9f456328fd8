"""How a model wants to be fed."""

from typing import NamedTuple


class Recipe(NamedTuple):
    """What a model's paper says about its input; a LightningModule carries it as ``recipe``.

    DataModule arguments that are left at ``None`` are taken from here.

    Attributes:
        size: height and width, in pixels, of the images that the network sees.
        batch_size: images in one training step.
        augmentation: names for :class:`lesionseg.data.Augmentation`, applied in this order.
    """

    size: tuple[int, int]
    batch_size: int
    augmentation: tuple[str, ...]


DEFAULT_RECIPE = Recipe(size=(192, 256), batch_size=12, augmentation=("horizontal_flip",))
"""What a model without a ``recipe`` gets: ASNet's (section 2.5 of its paper)."""
