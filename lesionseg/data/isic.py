"""The ISIC challenges' lesion boundary segmentation data of 2016, 2017 and 2018."""

import re
from pathlib import Path
from typing import Literal, NamedTuple

from lesionseg.data.pairs import Pair, PairedDataset
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten

Year = Literal[2016, 2017, 2018]
OfficialSplit = Literal["train", "val", "test"]

# Superpixels, metadata, licences and hidden files match neither.
_IMAGE = re.compile(r"(ISIC_\d{7})\.(?:jpe?g|png)", re.IGNORECASE)
_MASK = re.compile(r"(ISIC_\d{7})_segmentation\.png", re.IGNORECASE)


class Archive(NamedTuple):
    """One official zip; it unpacks to a folder of its own name, without ``.zip``."""

    folder: str
    files: int
    md5: str | None
    sha256: str | None = None


class Official(NamedTuple):
    """The two archives of one official split."""

    images: Archive
    masks: Archive


_ARCHIVES: dict[int, dict[str, Official]] = {
    2016: {
        "train": Official(
            Archive("ISBI2016_ISIC_Part1_Training_Data", 900, "2029f387e62dcc062b1370b1efc1f7fb"),
            Archive(
                "ISBI2016_ISIC_Part1_Training_GroundTruth", 900, "fbd77134298f3511479a37bac93109c7"
            ),
        ),
        "test": Official(
            Archive("ISBI2016_ISIC_Part1_Test_Data", 379, "efebcaeaae751007401a40a60d391f93"),
            Archive(
                "ISBI2016_ISIC_Part1_Test_GroundTruth", 379, "492a7711a2e19b96114cab6c96bd1ad5"
            ),
        ),
    },
    2017: {
        "train": Official(
            Archive("ISIC-2017_Training_Data", 2000, "a14a7e622c67a358797ae59abb8a0b0c"),
            Archive(
                "ISIC-2017_Training_Part1_GroundTruth", 2000, "77fdbeb6fbec4139937224416b250f4c"
            ),
        ),
        "val": Official(
            Archive("ISIC-2017_Validation_Data", 150, "8d6419d942112f709894c0d82f6c9038"),
            Archive(
                "ISIC-2017_Validation_Part1_GroundTruth", 150, "64d3e68fa2deeb8a5e89aa8dec2efd44"
            ),
        ),
        "test": Official(
            Archive("ISIC-2017_Test_v2_Data", 600, "5f6a0b5e1f2972bd1f5ea02680489f09"),
            Archive("ISIC-2017_Test_v2_Part1_GroundTruth", 600, "b1742de6bd257faca3b2b21a4aa3b781"),
        ),
    },
    2018: {
        "train": Official(
            Archive(
                "ISIC2018_Task1-2_Training_Input",
                2594,
                "8b5be801f37b58ccf533df2928a5906b",
                "80f98572347a2d7a376227fa9eb2e4f7459d317cb619865b8b9910c81446675f",
            ),
            Archive(
                "ISIC2018_Task1_Training_GroundTruth",
                2594,
                "ee5e5db7771d48fa2613abc7cb5c24e2",
                "99f8b2bb3c4d6af483362010715f7e7d5d122d9f6c02cac0e0d15bef77c7604c",
            ),
        ),
        "val": Official(
            Archive(
                "ISIC2018_Task1-2_Validation_Input",
                100,
                "d8f15a08981c8d6c0646b5e3228ef20d",
                "0ea920fcfe512d12a6e620b50b50233c059f67b10146e1479c82be58ff15a797",
            ),
            Archive(
                "ISIC2018_Task1_Validation_GroundTruth",
                100,
                "2323d7ed9350de0a463d529ef45a62f4",
                "f6911e9c0a64e6d687dd3ca466ca927dd5e82145cb2163b7a1e5b37d7a716285",
            ),
        ),
        "test": Official(
            Archive(
                "ISIC2018_Task1-2_Test_Input",
                1000,
                "0a9ba80e1aee58716fbfcdde7131c45a",
                "e59ae1f69f4ed16f09db2cb1d76c2a828487b63d28f6ab85997f5616869b127d",
            ),
            Archive(
                "ISIC2018_Task1_Test_GroundTruth",
                1000,
                None,
                "2e8f6edce454a5bdee52485e39f92bd6eddf357e81f39018d05512175238ef82",
            ),
        ),
    },
}

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
    archives = _ARCHIVES
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
        images = self._scan(Path(root), year, official.images, _IMAGE)
        truth = self._scan(Path(root), year, official.masks, _MASK) if masks else {}
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
        folder = root / archive.folder
        # Some unpackers put the zip's folder into one more folder of the same name.
        if (folder / archive.folder).is_dir():
            folder = folder / archive.folder
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
            what = "masks" if pattern is _MASK else "images"
            raise DatasetNotFoundError(f"The folder {folder} holds no ISIC {what}; {mend}.")
        return found
