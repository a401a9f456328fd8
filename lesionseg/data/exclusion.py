"""Exclude images from training, or restrict a test to some."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from lesionseg.data.id_lists import archive_ids, named_ids
from lesionseg.errors import InvalidDataError

#: A name or several, see :func:`lesionseg.data.named_ids`.
IdLists: TypeAlias = Sequence[str] | str | Path | None


class Exclusion:
    """Exclude the images of id lists from a training set, and report once how many they are.

    Args:
        lists: Official names or files of ids; None excludes nothing.

    Attributes:
        ids: Excluded ids; those of the ISIC archive in upper case.

    Raises:
        LesionsegError: If there is no such list.

    Example:
        >>> from lesionseg.data.exclusion import Exclusion
        >>> Exclusion("isic2016-test").remove(["ISIC_0000000", "ISIC_0000003"])
        ['ISIC_0000000']
    """

    def __init__(self, lists: IdLists = None) -> None:
        self.names, self.ids = _gather(lists)
        self._said = False

    def remove(self, ids: Sequence[str]) -> list[str]:
        """Return the ids that are not excluded, in their order.

        Raises:
            InvalidDataError: If none is left.
        """
        if not self.names:
            return list(ids)
        kept = [id_ for id_ in ids if self.ids.isdisjoint((id_, id_.upper()))]
        names = ", ".join(self.names)
        if not kept:
            raise InvalidDataError(
                f"nothing is left to train on: all {len(ids)} images are in {names}; exclude less."
            )
        if not self._said:
            left_out = len(ids) - len(kept)
            # A list that matches no file was probably written for other file names.
            say = rank_zero_info if left_out else rank_zero_warn
            say(f"Excluded before any split: {left_out} of {len(ids)} images, those in {names}.")
            self._said = True
        return kept


def only(ids: Sequence[str], lists: IdLists) -> list[str]:
    """Return the ids that are in any of the lists, in their order; all ids if lists is None.

    Raises:
        LesionsegError: If there is no such list.
        InvalidDataError: If no id is in any list.
    """
    if lists is None:
        return list(ids)
    names, wanted = _gather(lists)
    kept = [id_ for id_ in ids if not wanted.isdisjoint((id_, id_.upper()))]
    if not kept:
        raise InvalidDataError(
            f"none of the {len(ids)} images is in {', '.join(names)}; choose another list."
        )
    return kept


def _gather(lists: IdLists) -> tuple[list[str], frozenset[str]]:
    """Return the names and ids of lists; ids of the ISIC archive also in upper case."""
    if lists is None:
        lists = []
    names = [str(name) for name in ([lists] if isinstance(lists, str | Path) else lists)]
    ids = frozenset[str]().union(*map(named_ids, names))
    return names, ids | archive_ids(ids)
