"""Seeded splits of image ids, and their files."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lesionseg.errors import DatasetNotFoundError, InvalidDataError
from lesionseg.files import atomic_path


def shuffle_ids(ids: Iterable[str], seed: int = 0) -> list[str]:
    """Return the ids in a seeded random order that does not depend on their order here.

    Sorting by a hash of seed and id gives the same permutation with every version of every
    library, so that a split in a paper can be made again years later.

    Raises:
        InvalidDataError: if an id comes twice.
    """
    ids = list(ids)
    if len(set(ids)) != len(ids):
        twice = next(id_ for id_ in ids if ids.count(id_) > 1)
        raise InvalidDataError(f"The id {twice} comes twice; ids must differ.")
    return sorted(ids, key=lambda id_: (hashlib.sha256(f"{seed}:{id_}".encode()).digest(), id_))


def train_val_split(
    ids: Iterable[str], val_fraction: float = 0.2, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Split ids at random into a training and a validation part.

    MobileGAN's paper (section 3) trains on 80 % of the ISIC 2018 training set and validates on
    20 %; it doesn't say which, so the choice is seeded.

    Args:
        ids: at least two, all different, in any order.
        val_fraction: share of validation images, between 0 and 1; each part gets at least one.
        seed: of the permutation.

    Returns:
        Sorted training ids and sorted validation ids.

    Raises:
        ValueError: if the fraction is not between 0 and 1, or there are fewer than two ids.
        InvalidDataError: if an id comes twice.
    """
    if not 0 < val_fraction < 1:
        raise ValueError(f"val_fraction must lie between 0 and 1, such as 0.2: {val_fraction}")
    order = shuffle_ids(ids, seed)
    if len(order) < 2:
        raise ValueError(f"A split needs at least two images, and there are {len(order)}.")
    held_out = min(max(round(len(order) * val_fraction), 1), len(order) - 1)
    return sorted(order[held_out:]), sorted(order[:held_out])


def check_fold(fold: int, num_folds: int) -> None:
    """Check that ``fold`` is one of ``num_folds``, counted from 0.

    Raises:
        ValueError: if it is not.
    """
    if num_folds < 2:
        raise ValueError(f"num_folds must be at least 2: {num_folds}")
    if not 0 <= fold < num_folds:
        raise ValueError(f"fold must be 0 to {num_folds - 1} for num_folds={num_folds}: {fold}")


def k_fold(
    ids: Iterable[str], num_folds: int = 5, fold: int = 0, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Split ids for one run of a cross-validation.

    ASNet's paper (section 2.5) cross-validates in 5 folds and doesn't say which: they are seeded.

    Args:
        ids: at least ``num_folds``, all different, in any order.
        num_folds: parts that the ids are dealt into; their lengths differ by one at most.
        fold: the part that is held out, 0 to ``num_folds - 1``.
        seed: of the permutation; the same for all folds of one cross-validation.

    Returns:
        Sorted ids of the other folds and sorted ids of the held-out one.

    Raises:
        ValueError: if the fold doesn't exist or there are fewer ids than folds.
        InvalidDataError: if an id comes twice.
    """
    check_fold(fold, num_folds)
    order = shuffle_ids(ids, seed)
    if len(order) < num_folds:
        raise ValueError(f"{num_folds} folds need at least as many images; there are {len(order)}.")
    held_out = set(order[fold::num_folds])
    return sorted(set(order) - held_out), sorted(held_out)


def save_ids(path: str | Path, ids: Iterable[str]) -> None:
    """Write ids to a text file, one in a line; makes folders and leaves no half file behind."""
    with atomic_path(path) as unfinished:
        unfinished.write_text("".join(f"{id_}\n" for id_ in ids), encoding="utf-8")


def load_ids(path: str | Path) -> list[str]:
    """Read ids from a text file, one in a line; blank lines are skipped.

    They are brought to Unicode's composed form (NFC), that of a data set's ids.

    Raises:
        DatasetNotFoundError: if there is no such file.
        InvalidDataError: if it is not text in UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetNotFoundError(f"The id list {path} does not exist; check the path.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"The id list {path} is not UTF-8 text; save it as such.") from error
    lines = unicodedata.normalize("NFC", text).splitlines()
    return [line.strip() for line in lines if line.strip()]


def refuse_other_split(folder: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Refuse to resume a fit whose training or validation images are others than before.

    Args:
        folder: The ``splits`` of the fit that is to resume; without one nothing is refused.
        splits: The ids of the parts now.

    Raises:
        InvalidDataError: If the saved ids are others.
    """
    for role in ("train", "val"):
        path = folder / f"{role}.txt"
        if role not in splits or not path.is_file():
            continue
        before, now = set(load_ids(path)), set(splits[role])
        if before != now:
            raise InvalidDataError(
                f"the images have changed since the fit that is to resume: of the {len(before)} "
                f"in {path}, {len(before - now)} are not in this part now, and "
                f"{len(now - before)} others are; restore the data, or start a new fit from its "
                "weights with --model.init_from."
            )
