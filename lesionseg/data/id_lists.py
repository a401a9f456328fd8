"""Which images are in which official list of the ISIC challenges, and ids from lists of any kind.

The lists are facts about the challenges' archives, kept in ``id_lists.txt`` beside this file.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from lesionseg.data.splits import load_ids
from lesionseg.errors import LesionsegError

_ARCHIVE_ID = re.compile(r"ISIC_\d{7}", re.IGNORECASE)


@cache
def _lists() -> dict[str, frozenset[str]]:
    """Read the official lists, by names such as ``isic2017-test``."""
    text = (files("lesionseg.data") / "id_lists.txt").read_text(encoding="ascii")
    lists: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            ids = lists.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            for part in line.split():
                first, _, last = part.partition("-")
                ids += [
                    f"ISIC_{number:07d}" for number in range(int(first), int(last or first) + 1)
                ]
    return {name: frozenset(ids) for name, ids in lists.items()}


def id_list_names() -> list[str]:
    """Return the names of the id lists: ``isic2016-test``, ``isic2016-train`` and so on.

    A year's name alone, such as ``isic2017``, stands for all its official lists together.
    ``near-duplicates`` holds the 2018 training images to leave out so that no two images left look
    alike, and none looks like an image of ``isic2018-val``, ``isic2017-val`` or ``isic2017-test``
    (:func:`lesionseg.inspection.inspect_data`).
    """
    years = {name.split("-")[0] for name in _lists() if name.startswith("isic")}
    return sorted({*_lists(), *years})


def official_ids(year: int, split: str | None = None) -> frozenset[str]:
    """Return the ids of an official split of the lesion segmentation task (2018: Task 1).

    Source: the file names in the challenge's archives. The splits of one year share no image, but
    the years overlap: 1800 training, 121 validation and 529 test images of 2017 are among those
    that 2018 trains and validates on.

    Args:
        year: 2016 (900 training and 379 test images), 2017 (2000 training, 150 validation, 600
            test) or 2018 (2594, 100, 1000).
        split: ``train``, ``val`` or ``test``, where 2016 has no ``val``; None for all of the year.

    Returns:
        Ids such as ``ISIC_0012345``.

    Raises:
        ValueError: if there never was such a year or split.
    """
    name = f"isic{year}" if split is None else f"isic{year}-{split}"
    if name not in id_list_names():
        raise ValueError(f"There is no official id list {name}; {_choices()}.")
    return frozenset().union(*(ids for key, ids in _lists().items() if key.startswith(name)))


def named_ids(name: str | Path) -> frozenset[str]:
    """Return the ids of a list: an official one by its name, or a file of ids.

    Args:
        name: one of :func:`id_list_names` in small or capital letters, or the path of a text file
            with one id in a line, such as the ``splits/train.txt`` of a run.

    Returns:
        The ids; those of a file as they stand there.

    Raises:
        LesionsegError: if there is neither such an official list nor such a file, or the file
            holds no id.
    """
    official = str(name).lower()
    if official in _lists():
        return _lists()[official]
    if official in id_list_names():
        return official_ids(int(official.removeprefix("isic")))
    if not Path(name).expanduser().is_file():
        raise LesionsegError(
            f"There is no id list {str(name)!r}, neither a file of that name nor an official one; "
            f"{_choices()}."
        )
    if not (ids := load_ids(Path(name).expanduser())):
        raise LesionsegError(f"The id list {name} is empty; write one id in each line.")
    return frozenset(ids)


def archive_ids(ids: Iterable[str]) -> frozenset[str]:
    """Return those ids that the ISIC archive gave, ``ISIC_`` and seven digits, in capitals.

    They mean the same image everywhere, which the file names of other folders do not: any two
    folders may have a ``1.jpg``.
    """
    return frozenset(id_.upper() for id_ in ids if _ARCHIVE_ID.fullmatch(id_))


def _choices() -> str:
    return f"official lists are {', '.join(id_list_names())}"
