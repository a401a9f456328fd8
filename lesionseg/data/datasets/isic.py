"""The ISIC challenges' lesion boundary segmentation data of 2016, 2017 and 2018."""

from pathlib import Path

from lesionseg._moved import RenamedAttribute
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
from lesionseg.data.transforms.pipeline import Transforms
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
    """An official split of a year's ISIC challenge (2018: Task 1; before: Part 1).

    Reads the folders of the official archives, pairs images and masks by their ISIC id, and ignores
    all other files.

    Args:
        root: Folder that contains the official folders.
        year: 2016, 2017 or 2018.
        split: ``train``, ``val`` or ``test``; 2016 has no ``val``.
        size: Height and width in pixels of ``image`` and ``mask``.
        with_truth: Whether to add ``truth``, the mask's gray values at the original size.
        masks: If False, read only images, with or without ground truth on disk.
        download: Whether to first download missing parts of this split's official archives to
            ``root``; see :func:`lesionseg.data.download_isic`.
        on_error: ``stop``, or ``skip``, which reads every file once now and skips images and masks
            that are unpaired or invalid, with a warning that lists each and the reason.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every image and mask after reading; see :class:`lesionseg.data.LesionDataset`.

    Raises:
        ValueError: If there is no such year or split.
        DatasetNotFoundError: If an official folder is absent or empty.
        InvalidDataError: If images have no mask, masks have no image, or an id occurs twice.
        LesionsegError: If the download fails; the next call resumes it.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as root:
        ...     images = Path(root, "ISIC2018_Task1-2_Validation_Input")
        ...     masks = Path(root, "ISIC2018_Task1_Validation_GroundTruth")
        ...     _ = images.mkdir(), masks.mkdir()
        ...     Image.new("RGB", (80, 60)).save(images / "ISIC_0012255.jpg")
        ...     Image.new("L", (80, 60)).save(masks / "ISIC_0012255_segmentation.png")
        ...     ISICDataset(root, 2018, "val").ids
        ['ISIC_0012255']
    """

    url = ISIC_URL
    """Base of the downloads: ``url/year/folder.zip``."""
    archives = ARCHIVES
    """Official archives by year and split, with MD5 or SHA-256."""
    license = "CC0-1.0"
    licence = RenamedAttribute("license")
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
        transforms: Transforms | None = None,
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
        unpaired: dict[str, str] = {}
        if masks:
            for these, those, what in ((images, truth, "mask"), (truth, images, "image")):
                if missing := sorted(these.keys() - those.keys()):
                    if check_on_error(on_error) == "skip":
                        unpaired |= {these.pop(id_).name: f"it has no {what}." for id_ in missing}
                        continue
                    kind = "images" if what == "mask" else "masks"
                    fix = f"{how_to_get(root, year, split)}, which adds missing files"
                    if official_ids(year, split).isdisjoint(missing):
                        fix = f"they are not of this split: remove the {kind}"
                    raise InvalidDataError(
                        f"{len(missing)} of {len(these)} {kind} in {these[missing[0]].parent} have "
                        f"no {what}: {shorten(missing)}; {fix}."
                    )
        pairs = [Pair(id_, path, truth.get(id_)) for id_, path in sorted(images.items())]
        super().__init__(pairs, size, with_truth, on_error, unpaired, transforms=transforms)

    @classmethod
    def has(cls, root: str | Path, year: Year, split: OfficialSplit, masks: bool = True) -> bool:
        """Return whether the folders of an official split are in ``root``."""
        official = cls.archives.get(year, {}).get(split)
        if official is None:
            return False
        wanted = official if masks else (official.images,)
        return all(Path(root, archive.folder).expanduser().is_dir() for archive in wanted)

    @classmethod
    def check(cls, year: int, split: str) -> Official:
        """Return the archives of an official split.

        Raises:
            ValueError: If there is no such year or split.
        """
        return official_archives(year, split)

    def _check(
        self, root: Path, archive: Archive, found: dict[str, Path], what: str
    ) -> dict[str, Path]:
        """Return the files of an official folder, of which there must be some."""
        folder = archive.home(root)
        fix = (
            f"{how_to_get(root, self.year, self.split)}, "
            f"or set root to the folder that contains {archive.folder}"
        )
        if not folder.is_dir():
            raise DatasetNotFoundError(f"there is no folder {folder}; {fix}.")
        if not found:
            raise DatasetNotFoundError(f"the folder {folder} has no ISIC {what}; {fix}.")
        return dict(found)
