"""Ids of the images in the official splits of the ISIC challenges, and ids from files.

The official lists are in ``id_lists.txt`` beside this file.
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
    """Read the official lists by name, such as ``isic2017-test``."""
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
    """Return the names of the id lists.

    The name of a year, such as ``isic2017``, stands for all its splits together.
    ``near-duplicates`` holds the 2018 training images to leave out so that no two of the others
    look alike, and none looks like an image of ``isic2018-val``, ``isic2017-val`` or
    ``isic2017-test`` (:func:`lesionseg.inspection.inspect_data`).

    Example:
        >>> from lesionseg.data import id_list_names
        >>> id_list_names()
        ['isic2016', 'isic2016-test', 'isic2016-train', 'isic2017', ..., 'near-duplicates']
    """
    years = {name.split("-")[0] for name in _lists() if name.startswith("isic")}
    return sorted({*_lists(), *years})


def official_ids(year: int, split: str | None = None) -> frozenset[str]:
    """Return the ids of an official split of the lesion segmentation task (2018: Task 1).

    Source: the file names in the archives of the challenge. The splits of a year share no image,
    but the years overlap: 1800 training, 121 validation and 529 test images of 2017 are among the
    training and validation images of 2018.

    Args:
        year: 2016 (900 training and 379 test images), 2017 (2000 training, 150 validation, 600
            test) or 2018 (2594, 100, 1000).
        split: ``train``, ``val`` or ``test``; 2016 has no ``val``. None for all of the year.

    Returns:
        Ids such as ``ISIC_0012345``.

    Raises:
        ValueError: If there is no such year or split.

    Example:
        >>> from lesionseg.data import official_ids
        >>> len(official_ids(2018, "train"))
        2594
        >>> sorted(official_ids(2018, "val"))[:2]
        ['ISIC_0012255', 'ISIC_0012346']
        >>> len(official_ids(2017, "test") & official_ids(2018, "train"))
        529
    """
    name = f"isic{year}" if split is None else f"isic{year}-{split}"
    if name not in id_list_names():
        raise ValueError(f"there is no official id list {name}; {_choices()}.")
    return frozenset().union(*(ids for key, ids in _lists().items() if key.startswith(name)))


def named_ids(name: str | Path) -> frozenset[str]:
    """Return the ids of an official list or of a text file.

    Args:
        name: Name of :func:`id_list_names`, in upper or lower case, or path of a text file with an
            id on each line, such as the ``splits/train.txt`` of a run.

    Returns:
        Ids; those of a file unchanged.

    Raises:
        LesionsegError: If there is no such list or file, or the file holds no id.

    Example:
        >>> from lesionseg.data import named_ids
        >>> len(named_ids("isic2016-test"))
        379
    """
    official = str(name).lower()
    if official in _lists():
        return _lists()[official]
    if official in id_list_names():
        return official_ids(int(official.removeprefix("isic")))
    if not Path(name).expanduser().is_file():
        raise LesionsegError(
            f"there is no id list {str(name)!r}, neither an official one nor a file of that name; "
            f"{_choices()}."
        )
    if not (ids := load_ids(Path(name).expanduser())):
        raise LesionsegError(f"the id list {name} is empty; write one id on each line.")
    return frozenset(ids)


def archive_ids(ids: Iterable[str]) -> frozenset[str]:
    """Return the ids that are of the ISIC archive, ``ISIC_`` and seven digits, in capitals.

    They stand for the same image everywhere, unlike other file names: any folder may hold a
    ``1.jpg``.

    Example:
        >>> from lesionseg.data import archive_ids
        >>> archive_ids(["isic_0000001", "1"])
        frozenset({'ISIC_0000001'})
    """
    return frozenset(id_.upper() for id_ in ids if _ARCHIVE_ID.fullmatch(id_))


def _choices() -> str:
    return f"official lists are {', '.join(id_list_names())}"
