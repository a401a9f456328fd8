"""Refuse to test a model on images that it was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.combined_loader import CombinedLoader

from lesionseg.data.id_lists import archive_ids
from lesionseg.errors import LesionsegError, shorten


def loaded_ids(loaders: Any) -> list[str]:
    """Return the ids of the images of data loaders whose data sets have ``ids``.

    Args:
        loaders: Data loader, or any nesting of lists and dicts of them, as a Trainer holds them.
    """
    data = (getattr(loader, "dataset", None) for loader in CombinedLoader(loaders).flattened)
    lists = (getattr(dataset, "ids", None) for dataset in data)
    # The ids of a third-party data set may be something else, such as a method.
    return [str(id_) for ids in lists if isinstance(ids, Iterable) for id_ in ids]


def refuse_trained(trained_on: Iterable[str], tested: Iterable[str], allow: bool) -> None:
    """Raise an error if test images were trained on, or warn.

    Only ids of the ISIC archive are compared, see :func:`lesionseg.data.archive_ids`.

    Args:
        trained_on: Ids of the training images.
        tested: Ids of the test images.
        allow: Warn only.

    Raises:
        LesionsegError: If images are in both, and ``allow`` is False.
    """
    tested = set(tested)
    both = sorted(archive_ids(tested) & archive_ids(trained_on))
    if not both:
        return
    found = (
        f"the model was trained on {len(both)} of the {len(tested)} test images ({shorten(both)})"
    )
    if allow:
        rank_zero_warn(f"{found}: the scores are not those of unseen images.")
        return
    raise LesionsegError(
        f"{found}; test on other images (a held-out part needs the split, fold, seed and exclude "
        "of the fit), train without them (--data.exclude), or set --data.allow_trained_images true."
    )
