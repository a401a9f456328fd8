"""Images that must not be trained on, or that alone are to be tested."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from lesionseg.data.id_lists import archive_ids, named_ids
from lesionseg.errors import InvalidDataError

#: One name or several, as :func:`lesionseg.data.named_ids` takes them.
IdLists: TypeAlias = Sequence[str] | str | Path | None


class Exclusion:
    """Takes the images of some id lists out of a training set, and says once how many they were.

    Args:
        lists: official names or files of ids; None takes nothing out.

    Attributes:
        ids: what is taken out; the archive's ids whether in small or capital letters.

    Raises:
        LesionsegError: if there is no such list.
    """

    def __init__(self, lists: IdLists = None) -> None:
        self.names, self.ids = _gather(lists)
        self._said = False

    def remove(self, ids: Sequence[str]) -> list[str]:
        """Return the ids that stay, in their order.

        Raises:
            InvalidDataError: if none stays.
        """
        if not self.names:
            return list(ids)
        kept = [id_ for id_ in ids if self.ids.isdisjoint((id_, id_.upper()))]
        names = ", ".join(self.names)
        if not kept:
            raise InvalidDataError(
                f"Nothing is left to train on: all {len(ids)} images are in {names}; exclude less."
            )
        if not self._said:
            left_out = len(ids) - len(kept)
            # A list of other names than the files' would let through what it is meant to stop.
            say = rank_zero_info if left_out else rank_zero_warn
            say(f"Left out before any split: {left_out} of {len(ids)} images, those in {names}.")
            self._said = True
        return kept


def only(ids: Sequence[str], lists: IdLists) -> list[str]:
    """Return the ids that are in one of some lists, in their order; all of them if lists is None.

    Raises:
        LesionsegError: if there is no such list.
        InvalidDataError: if no id is in any.
    """
    if lists is None:
        return list(ids)
    names, wanted = _gather(lists)
    kept = [id_ for id_ in ids if not wanted.isdisjoint((id_, id_.upper()))]
    if not kept:
        raise InvalidDataError(
            f"None of the {len(ids)} images is in {', '.join(names)}; test on others."
        )
    return kept


def _gather(lists: IdLists) -> tuple[list[str], frozenset[str]]:
    """Names and ids of some lists; the archive's ids whether in small or capital letters."""
    if lists is None:
        lists = []
    names = [str(one) for one in ([lists] if isinstance(lists, str | Path) else lists)]
    ids = frozenset[str]().union(*map(named_ids, names))
    return names, ids | archive_ids(ids)
