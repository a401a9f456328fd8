"""Which images a model was trained on, so that no test counts them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.combined_loader import CombinedLoader

from lesionseg.data.id_lists import archive_ids
from lesionseg.errors import LesionsegError, shorten


def loaded_ids(loaders: Any) -> list[str]:
    """Ids of the images that loaders read, as far as their data sets have ``ids``.

    Args:
        loaders: What a Trainer holds: a loader, or any nesting of lists and dicts of them.
    """
    data = (getattr(one, "dataset", None) for one in CombinedLoader(loaders).flattened)
    lists = (getattr(one, "ids", None) for one in data)
    # Others' data sets may call something else ids, such as a method.
    return [str(id_) for ids in lists if isinstance(ids, Iterable) for id_ in ids]


def refuse_trained(trained_on: Iterable[str], tested: Iterable[str], allow: bool) -> None:
    """Stops a test on images that were trained on, or warns of them.

    Only the ISIC archive's ids are compared, see :func:`lesionseg.data.archive_ids`.

    Args:
        trained_on: Ids of the training images.
        tested: Ids of the test images.
        allow: Warn only.

    Raises:
        LesionsegError: Some images are in both, and ``allow`` is False.
    """
    tested = set(tested)
    both = sorted(archive_ids(tested) & archive_ids(trained_on))
    if not both:
        return
    found = (
        f"the model was trained on {len(both)} of the {len(tested)} test images ({shorten(both)})"
    )
    if allow:
        rank_zero_warn(f"{found}: this is no score of images that are new to it.")
        return
    raise LesionsegError(
        f"{found}; test on others (a held-out part needs the split, fold, seed and exclude of its "
        "fit), train without them (--data.exclude), or say --data.allow_trained_images true."
    )
