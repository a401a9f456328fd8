"""The ISIC challenges' lesion boundary segmentation data of 2016, 2017 and 2018."""

from pathlib import Path

from lesionseg.data.archives import (
    ARCHIVES,
    ISIC_URL,
    Archive,
    Official,
    OfficialSplit,
    Year,
    how_to_get,
    official_archives,
)
from lesionseg.data.datasets.paired import Pair, PairedDataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.discovery.image_set import check_unique
from lesionseg.data.discovery.scanner import scan_isic
from lesionseg.data.download.isic import download_isic
from lesionseg.data.id_lists import official_ids
from lesionseg.data.io.mask_values import OFFICIAL
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
        download: first bring what is absent or incomplete of this split's official archives to
            ``root``; see :func:`lesionseg.data.download_isic`.
        on_error: ``stop``, or ``skip``, which reads every file once now and leaves out, with a
            warning that names each and the reason, what has no partner or cannot be used.

    Raises:
        ValueError: if there never was such a year or split.
        DatasetNotFoundError: if an official folder is absent or holds no such file.
        InvalidDataError: if images have no mask, masks no image, or an id comes twice.
        LesionsegError: if the download fails; what has come stays, and a next one goes on.
    """

    url = ISIC_URL
    """Base of the downloads: ``url/year/folder.zip``."""
    archives = ARCHIVES
    """Official archives by year and split, with MD5 and SHA-256 where they are known."""
    licence = "CC0-1.0"
    official_rule = OFFICIAL
    citations = _CITATIONS

    def __init__(
        self,
        root: str | Path,
        year: Year = 2018,
        split: OfficialSplit = "train",
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        masks: bool = True,
        download: bool = False,
        on_error: OnError = "stop",
    ) -> None:
        self.year = year
        self.split = split
        root = Path(root).expanduser()
        official = self.check(year, split)
        if download:
            download_isic(root, year, [split], mirror=self.url, masks=masks)
        found = scan_isic(root, year, split, masks)
        images = self._check(root, official.images, found.images, "images")
        truth = self._check(root, official.masks, found.masks or {}, "masks") if masks else {}
        check_unique(found)
        alone: dict[str, str] = {}
        if masks:
            for these, those, what in ((images, truth, "mask"), (truth, images, "image")):
                if lonely := sorted(these.keys() - those.keys()):
                    if check_on_error(on_error) == "skip":
                        alone |= {these.pop(id_).name: f"It has no {what}." for id_ in lonely}
                        continue
                    kind = "images" if what == "mask" else "masks"
                    mend = f"{how_to_get(root, year, split)}, which adds what is missing"
                    if official_ids(year, split).isdisjoint(lonely):
                        mend = f"they are not of this split: remove the {kind}"
                    raise InvalidDataError(
                        f"{len(lonely)} of {len(these)} {kind} in {these[lonely[0]].parent} have "
                        f"no {what}: {shorten(lonely)}; {mend}."
                    )
        pairs = [Pair(id_, path, truth.get(id_)) for id_, path in sorted(images.items())]
        super().__init__(pairs, size, with_truth, on_error, alone)

    @classmethod
    def has(cls, root: str | Path, year: Year, split: OfficialSplit, masks: bool = True) -> bool:
        """Whether the folders of an official split are under ``root``."""
        official = cls.archives.get(year, {}).get(split)
        if official is None:
            return False
        wanted = official if masks else (official.images,)
        return all(Path(root, archive.folder).expanduser().is_dir() for archive in wanted)

    @classmethod
    def check(cls, year: int, split: str) -> Official:
        """Return the archives of an official split.

        Raises:
            ValueError: if there never was such a year or split.
        """
        return official_archives(year, split)

    def _check(
        self, root: Path, archive: Archive, found: dict[str, Path], what: str
    ) -> dict[str, Path]:
        """Return the files of one official folder, or say that there are none."""
        folder = archive.home(root)
        mend = (
            f"{how_to_get(root, self.year, self.split)}, "
            f"or point root at the folder that holds {archive.folder}"
        )
        if not folder.is_dir():
            raise DatasetNotFoundError(f"There is no folder {folder}; {mend}.")
        if not found:
            raise DatasetNotFoundError(f"The folder {folder} holds no ISIC {what}; {mend}.")
        return dict(found)
