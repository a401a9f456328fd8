"""The ISIC challenges' lesion boundary segmentation data of 2016, 2017 and 2018."""

import re
from pathlib import Path

from lesionseg.data.archives import (
    ARCHIVES,
    IMAGE_NAME,
    MASK_NAME,
    Archive,
    Official,
    OfficialSplit,
    Year,
)
from lesionseg.data.pairs import Pair, PairedDataset
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten

_CITATIONS = {
    2016: "D. Gutman et al.: Skin Lesion Analysis toward Melanoma Detection: A Challenge at ISBI "
    "2016, hosted by ISIC. arXiv:1605.01397.",
    2017: "N. Codella et al.: Skin Lesion Analysis Toward Melanoma Detection: A Challenge at the "
    "2017 ISBI, hosted by ISIC. arXiv:1710.05006.",
    2018: "N. Codella et al.: Skin Lesion Analysis Toward Melanoma Detection 2018: A Challenge "
    "Hosted by ISIC. arXiv:1902.03368; P. Tschandl, C. Rosendahl, H. Kittler: The HAM10000 "
    "dataset. Scientific Data 5, 180161 (2018).",
}


class ISICDataset(PairedDataset):
    """One official split of the ISIC challenge of one year (2018: Task 1, before: Part 1).

    Reads the folders that the official zips unpack to, pairs images and masks by their ISIC id, and
    ignores whatever else the folders hold.

    Args:
        root: folder that holds the official folders.
        year: 2016, 2017 or 2018.
        split: ``train``, ``val`` or ``test``; 2016 has no ``val``.
        size: height and width in pixels of ``image`` and ``mask``.
        with_truth: add ``truth``, the mask file's grey values at the original size.
        masks: False reads images only, whether the ground truth is there or not.

    Raises:
        ValueError: if there never was such a year or split.
        DatasetNotFoundError: if an official folder is absent or holds no such file.
        InvalidDataError: if images have no mask, masks no image, or an id comes twice.
    """

    url = "https://isic-challenge-data.s3.amazonaws.com"
    """Base of the downloads: ``url/year/folder.zip``."""
    archives = ARCHIVES
    """Official archives by year and split, with MD5 and SHA-256 where they are known."""
    licence = "CC0-1.0"
    citations = _CITATIONS

    def __init__(
        self,
        root: str | Path,
        year: Year = 2018,
        split: OfficialSplit = "train",
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        masks: bool = True,
    ) -> None:
        self.year = year
        self.split = split
        official = self.check(year, split)
        images = self._scan(Path(root), year, official.images, IMAGE_NAME)
        truth = self._scan(Path(root), year, official.masks, MASK_NAME) if masks else {}
        if masks:
            for these, those, what in ((images, truth, "mask"), (truth, images, "image")):
                if lonely := sorted(these.keys() - those.keys()):
                    kind = "images" if what == "mask" else "masks"
                    archive = official.masks if what == "mask" else official.images
                    raise InvalidDataError(
                        f"{len(lonely)} of {len(these)} {kind} in {these[lonely[0]].parent} have "
                        f"no {what}: {shorten(lonely)}; unpack {archive.folder}.zip again."
                    )
        pairs = [Pair(id_, path, truth.get(id_)) for id_, path in sorted(images.items())]
        super().__init__(pairs, size, with_truth)

    @classmethod
    def has(cls, root: str | Path, year: Year, split: OfficialSplit, masks: bool = True) -> bool:
        """Whether the folders of an official split are under ``root``."""
        official = cls.archives.get(year, {}).get(split)
        if official is None:
            return False
        wanted = official if masks else (official.images,)
        return all(Path(root, archive.folder).is_dir() for archive in wanted)

    @classmethod
    def check(cls, year: int, split: str) -> Official:
        """Return the archives of an official split.

        Raises:
            ValueError: if there never was such a year or split.
        """
        if year not in cls.archives:
            raise ValueError(f"year must be 2016, 2017 or 2018: {year}")
        splits = cls.archives[year]
        if split in splits:
            return splits[split]
        if split == "val":
            raise ValueError(
                f"ISIC {year} has no validation split, only {' and '.join(splits)}; use "
                "ISICDataModule with split='holdout' or 'k-fold', which need no other images."
            )
        raise ValueError(f"split must be train, val or test: {split!r}")

    @classmethod
    def _scan(
        cls, root: Path, year: int, archive: Archive, pattern: re.Pattern[str]
    ) -> dict[str, Path]:
        """Return the files of one official folder by ISIC id."""
        folder = archive.home(root)
        mend = (
            f"download {cls.url}/{year}/{archive.folder}.zip and unpack it in {root}, "
            f"or point root at the folder that holds {archive.folder}"
        )
        if not folder.is_dir():
            raise DatasetNotFoundError(f"There is no folder {folder}; {mend}.")
        found: dict[str, Path] = {}
        for path in sorted(folder.iterdir()):
            if match := pattern.fullmatch(path.name):
                id_ = match[1].upper()
                if id_ in found:
                    raise InvalidDataError(
                        f"{found[id_]} and {path.name} have the same id {id_}; remove one."
                    )
                found[id_] = path
        if not found:
            what = "masks" if pattern is MASK_NAME else "images"
            raise DatasetNotFoundError(f"The folder {folder} holds no ISIC {what}; {mend}.")
        return found
