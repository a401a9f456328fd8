"""Images that must not be trained on."""

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
        if lists is None:
            lists = []
        self.names = [str(one) for one in ([lists] if isinstance(lists, str | Path) else lists)]
        ids = frozenset[str]().union(*map(named_ids, self.names))
        self.ids = ids | archive_ids(ids)
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
