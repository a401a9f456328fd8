"""Seeded splits of image ids, and their files."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lesionseg.errors import DatasetNotFoundError, InvalidDataError
from lesionseg.files import atomic_path


def shuffle_ids(ids: Iterable[str], seed: int = 0) -> list[str]:
    """Return the ids in a seeded random order that does not depend on their given order.

    They are sorted by a hash of seed and id, which gives the same order with every version of every
    library, so that a published split stays reproducible.

    Raises:
        InvalidDataError: If an id occurs twice.

    Example:
        >>> from lesionseg.data.splits import shuffle_ids
        >>> shuffle_ids(["a", "b", "c", "d"], seed=1)
        ['d', 'a', 'b', 'c']
    """
    ids = list(ids)
    if len(set(ids)) != len(ids):
        twice = next(id_ for id_ in ids if ids.count(id_) > 1)
        raise InvalidDataError(f"the id {twice} occurs twice; ids must differ.")
    return sorted(ids, key=lambda id_: (hashlib.sha256(f"{seed}:{id_}".encode()).digest(), id_))


def train_val_split(
    ids: Iterable[str], val_fraction: float = 0.2, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Split ids at random into a training and a validation part.

    MobileGAN's paper (section 3) trains on 80 % of the ISIC 2018 training set and validates on
    20 %, without naming them; here a seed decides.

    Args:
        ids: At least two different ids, in any order.
        val_fraction: Fraction of validation images, between 0 and 1; each part gets at least one.
        seed: Seed of the permutation.

    Returns:
        Sorted training ids and sorted validation ids.

    Raises:
        ValueError: If the fraction is not between 0 and 1, or there are fewer than two ids.
        InvalidDataError: If an id occurs twice.

    Example:
        >>> from lesionseg.data import train_val_split
        >>> train_val_split(["a", "b", "c", "d", "e"], val_fraction=0.4)
        (['b', 'c', 'e'], ['a', 'd'])
    """
    if not 0 < val_fraction < 1:
        raise ValueError(f"expected val_fraction to be between 0 and 1, got {val_fraction!r}")
    order = shuffle_ids(ids, seed)
    if len(order) < 2:
        raise ValueError(f"expected ids to be at least two, got {len(order)}")
    held_out = min(max(round(len(order) * val_fraction), 1), len(order) - 1)
    return sorted(order[held_out:]), sorted(order[:held_out])


def check_fold(fold: int, num_folds: int) -> None:
    """Check the index of a fold.

    Raises:
        ValueError: If there are fewer than two folds, or ``fold`` is not 0 to ``num_folds - 1``.
    """
    if num_folds < 2:
        raise ValueError(f"expected num_folds to be at least 2, got {num_folds!r}")
    if not 0 <= fold < num_folds:
        raise ValueError(
            f"expected fold to be 0 to {num_folds - 1} with num_folds={num_folds}, got {fold!r}"
        )


def k_fold(
    ids: Iterable[str], num_folds: int = 5, fold: int = 0, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Split ids for a run of a cross-validation.

    ASNet's paper (section 2.5) cross-validates in 5 folds without naming them; here a seed decides.

    Args:
        ids: At least ``num_folds`` different ids, in any order.
        num_folds: Number of parts, whose lengths differ by one at most.
        fold: Index of the part that is held out, 0 to ``num_folds - 1``.
        seed: Seed of the permutation; the same for all folds of a cross-validation.

    Returns:
        Sorted ids of the other folds and sorted ids of the held-out fold.

    Raises:
        ValueError: If there is no such fold or there are fewer ids than folds.
        InvalidDataError: If an id occurs twice.

    Example:
        >>> from lesionseg.data import k_fold
        >>> [k_fold(["a", "b", "c", "d", "e"], num_folds=3, fold=fold)[1] for fold in range(3)]
        [['b', 'd'], ['a', 'e'], ['c']]
    """
    check_fold(fold, num_folds)
    order = shuffle_ids(ids, seed)
    if len(order) < num_folds:
        raise ValueError(f"expected ids to be at least {num_folds} (num_folds), got {len(order)}")
    held_out = set(order[fold::num_folds])
    return sorted(set(order) - held_out), sorted(held_out)


def save_ids(path: str | Path, ids: Iterable[str]) -> None:
    """Write ids to a text file, one on each line; parent folders are created.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from lesionseg.data import load_ids, save_ids
        >>> with TemporaryDirectory() as folder:
        ...     save_ids(Path(folder, "splits", "train.txt"), ["ISIC_0000001", "ISIC_0000002"])
        ...     load_ids(Path(folder, "splits", "train.txt"))
        ['ISIC_0000001', 'ISIC_0000002']
    """
    with atomic_path(path) as unfinished:
        unfinished.write_text("".join(f"{id_}\n" for id_ in ids), encoding="utf-8")


def load_ids(path: str | Path) -> list[str]:
    r"""Read ids from a text file, one on each line; blank lines are skipped.

    Ids are normalized to Unicode's composed form (NFC), as the ids of data sets are.

    Raises:
        DatasetNotFoundError: If there is no such file.
        InvalidDataError: If it is not UTF-8 text.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from lesionseg.data import load_ids
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "train.txt")
        ...     _ = path.write_text("ISIC_0000001\n\nISIC_0000002\n")
        ...     load_ids(path)
        ['ISIC_0000001', 'ISIC_0000002']
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetNotFoundError(f"the id list {path} does not exist; check the path.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"the id list {path} is not UTF-8 text; convert it.") from error
    lines = unicodedata.normalize("NFC", text).splitlines()
    return [line.strip() for line in lines if line.strip()]


def refuse_other_split(folder: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Refuse to resume a fit with other training or validation images.

    Args:
        folder: Folder ``splits`` of the fit; if absent, nothing is refused.
        splits: Present ids by split.

    Raises:
        InvalidDataError: If the saved ids differ.
    """
    for role in ("train", "val"):
        path = folder / f"{role}.txt"
        if role not in splits or not path.is_file():
            continue
        before, now = set(load_ids(path)), set(splits[role])
        if before != now:
            raise InvalidDataError(
                f"the images have changed since the fit that would resume: of the {len(before)} "
                f"in {path}, {len(before - now)} are missing, and {len(now - before)} others are "
                "present; restore the data, or start a new fit from its weights with "
                "--model.init_from."
            )
