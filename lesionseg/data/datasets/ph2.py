"""The PH2 data set."""

from pathlib import Path

from lesionseg._moved import RenamedAttribute
from lesionseg.data.datasets.paired import Pair, PairedDataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.discovery.names import PH2_FOLDER
from lesionseg.data.discovery.scanner import ph2_folder, scan_ph2
from lesionseg.data.io.mask_values import OFFICIAL
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten


class PH2Dataset(PairedDataset):
    """PH2: 200 dermoscopy images of melanocytic lesions with masks, about 765 x 574 pixels.

    Reads ``PH2 Dataset images/IMD002/IMD002_Dermoscopic_Image/IMD002.bmp`` and
    ``IMD002_lesion/IMD002_lesion.bmp`` beside it. Masks are 1-bit, in some copies 24-bit RGB.

    Args:
        root: The extracted folder ``PH2Dataset``, the folder that contains it, or ``PH2 Dataset
            images``.
        size: Height and width in pixels of ``image`` and ``mask``.
        with_truth: Whether to add ``truth``, the mask's gray values at the original size.
        on_error: ``stop``, or ``skip``, which reads every file once now and skips images and masks
            that are unpaired or invalid, with a warning that lists each and the reason.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every image and mask after reading; see :class:`lesionseg.data.LesionDataset`.

    Raises:
        DatasetNotFoundError: If there are no PH2 images in ``root``.
        InvalidDataError: If images have no mask or masks no image.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as root:
        ...     case = Path(root, "PH2 Dataset images", "IMD002")
        ...     for part in ("IMD002_Dermoscopic_Image/IMD002", "IMD002_lesion/IMD002_lesion"):
        ...         path = case / f"{part}.bmp"
        ...         path.parent.mkdir(parents=True)
        ...         Image.new("L", (77, 57)).save(path)
        ...     data = PH2Dataset(root, size=(32, 32))
        ...     print(data.ids, data[0]["size"])
        ['IMD002'] (57, 77)
    """

    url = "https://www.fc.up.pt/addi/ph2%20database.html"
    official_rule = OFFICIAL
    license = "No open license: for research and education, on request from its authors."
    licence = RenamedAttribute("license")
    citation = (
        "T. Mendonca, P. M. Ferreira, J. S. Marques, A. R. S. Marcal, J. Rozeira: PH2 - A "
        "dermoscopic image database for research and benchmarking. EMBC 2013."
    )

    def __init__(
        self,
        root: str | Path,
        size: tuple[int, int] = (192, 256),
        with_truth: bool = False,
        on_error: OnError = "stop",
        transforms: Transforms | None = None,
    ) -> None:
        folder = ph2_folder(Path(root).expanduser())
        if folder is None:
            raise DatasetNotFoundError(f"there is no folder '{PH2_FOLDER}' in {root}; {self._fix}")
        found = scan_ph2(folder)
        masks = found.masks or {}
        pairs = [Pair(id_, found.images[id_], masks[id_]) for id_ in found.images if id_ in masks]
        incomplete = [
            f"{id_}_lesion.bmp" if id_ in found.images else f"{id_}.bmp"
            for id_ in found.ids
            if not (id_ in found.images and id_ in masks)
        ]
        skip = check_on_error(on_error) == "skip"
        if incomplete and not skip:
            raise InvalidDataError(
                f"{len(incomplete)} of {len(found.ids)} PH2 cases lack a file: "
                f"{shorten(incomplete)}; extract the data set again."
            )
        if not pairs:
            raise DatasetNotFoundError(f"{folder} has no PH2 cases such as IMD002; {self._fix}")
        unpaired = dict.fromkeys(incomplete, "it does not exist, and its case is skipped.")
        super().__init__(pairs, size, with_truth, on_error, unpaired, transforms=transforms)

    _fix = f"request PH2 from its authors and pass the extracted folder 'PH2Dataset'; see {url}."
