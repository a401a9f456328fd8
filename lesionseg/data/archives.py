"""Facts about the official archives of the ISIC challenges: names, numbers of files, checksums."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Literal, NamedTuple

Year = Literal[2016, 2017, 2018]
OfficialSplit = Literal["train", "val", "test"]

# Superpixels, metadata, licenses and hidden files match neither.
IMAGE_NAME = re.compile(r"(ISIC_\d{7})\.(?:jpe?g|png)", re.IGNORECASE)
"""File names of images; the first group is the ISIC id."""
MASK_NAME = re.compile(r"(ISIC_\d{7})_segmentation\.png", re.IGNORECASE)
"""File names of masks; the first group is the ISIC id."""

ISIC_URL = "https://isic-challenge-data.s3.amazonaws.com"
"""Base of the official downloads: ``ISIC_URL/year/folder.zip``."""


class Archive(NamedTuple):
    """An official zip archive, which extracts to a folder of the same name."""

    folder: str
    files: int
    """Number of images or masks, without other files."""
    md5: str | None
    sha256: str | None = None
    size: int | None = None
    """Bytes of the zip archive, where they are known."""

    @property
    def zip(self) -> str:
        """File name of the zip archive."""
        return f"{self.folder}.zip"

    @property
    def checksum(self) -> tuple[str, str]:
        """Algorithm and hexadecimal digest, SHA-256 where it is known, else MD5."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5 or "")

    def home(self, root: Path) -> Path:
        """Return the folder under ``root`` that holds the files, whether it exists or not."""
        folder = root / self.folder
        # Some programs extract to one more folder of the same name.
        inner = folder / self.folder
        return inner if inner.is_dir() else folder


class Official(NamedTuple):
    """The two archives of an official split."""

    images: Archive
    masks: Archive


ARCHIVES: dict[int, dict[str, Official]] = {
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
                11_165_358_566,
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


def official_archives(year: int, split: str) -> Official:
    """Return the archives of an official split.

    Raises:
        ValueError: If there is no such year or split.
    """
    if year not in ARCHIVES:
        raise ValueError(f"expected year to be 2016, 2017 or 2018, got {year!r}")
    splits = ARCHIVES[year]
    if split in splits:
        return splits[split]
    if split == "val":
        raise ValueError(
            f"ISIC {year} has no validation split, only {' and '.join(splits)}; use "
            "ISICDataModule with split='holdout' or 'k-fold', which need no other images."
        )
    raise ValueError(f"expected split to be train, val or test, got {split!r}")


def how_to_get(root: Path, year: int, split: str) -> str:
    """Return the command that downloads an official split, for messages."""
    return f"run lesionseg download isic{year} --root {shlex.quote(str(root))} --splits {split}"
