"""The input that a model expects unless the user says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lesionseg._moved import renamed, warn_renamed


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
        name = type(model).__name__
        warn_renamed(f"{name}.recipe", f"{name}.input_defaults")
    return found or ASNET_DEFAULTS


def adopt_recipe(model: type) -> None:
    """Take the ``input_defaults`` of a class from a ``recipe`` in its body, if there is one."""
    if isinstance(recipe := vars(model).get("recipe"), InputDefaults):
        warn_renamed(f"{model.__name__}.recipe", f"{model.__name__}.input_defaults")
        model.input_defaults = recipe  # type: ignore[attr-defined]
        del model.recipe  # type: ignore[attr-defined]
