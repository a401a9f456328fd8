"""The input that a model expects unless the user says otherwise."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionseg._moved import renamed


class InputDefaults(NamedTuple):
    """The input of a model as its paper describes it; models carry it as ``input_defaults``.

    DataModule arguments that are None take their values from it.

    Attributes:
        size: Height and width, in pixels, of the images that the network sees.
        batch_size: Number of images in a training step.
        augmentation: Names for :class:`lesionseg.data.Augmentation`, in the order of application.

    Example:
        >>> from lesionseg import MobileGAN
        >>> MobileGAN.input_defaults.size, MobileGAN.input_defaults.batch_size
        ((128, 128), 8)
    """

    size: tuple[int, int]
    batch_size: int
    augmentation: tuple[str, ...]


ASNET_DEFAULTS = InputDefaults(size=(192, 256), batch_size=12, augmentation=("horizontal_flip",))
"""Of models without ``input_defaults``: ASNet's (section 2.5 of its paper)."""

if not TYPE_CHECKING:  # which would believe that the module has every name
    __getattr__ = renamed(__name__, {"Recipe": "InputDefaults"})


def input_defaults_of(model: object) -> InputDefaults:
    """Return the defaults that a model carries, or :data:`ASNET_DEFAULTS`."""
    found = getattr(model, "input_defaults", None)
    if found is None and (found := getattr(model, "recipe", None)) is not None:
        _warn(type(model).__name__)
    return found or ASNET_DEFAULTS


class RecipeAlias:
    """The attribute ``recipe`` of a model, the former name of ``input_defaults``."""

    def __get__(self, model: Any, owner: Any) -> InputDefaults:
        """Return the ``input_defaults`` of a model or of its class."""
        _warn(owner.__name__)
        defaults: InputDefaults = (owner if model is None else model).input_defaults
        return defaults

    def __set__(self, model: Any, value: InputDefaults) -> None:
        """Set the ``input_defaults`` of a model."""
        _warn(type(model).__name__)
        model.input_defaults = value


def adopt_recipe(model: type) -> None:
    """Take the ``input_defaults`` of a class from a ``recipe`` in its body, if there is one."""
    if isinstance(recipe := vars(model).get("recipe"), InputDefaults):
        _warn(model.__name__)
        model.input_defaults = recipe  # type: ignore[attr-defined]
        del model.recipe  # type: ignore[attr-defined]


def _warn(model: str) -> None:
    warnings.warn(
        f"{model}.recipe is now {model}.input_defaults; the old name will be removed in the next "
        "release.",
        FutureWarning,
        stacklevel=3,
    )
