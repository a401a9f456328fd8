"""The PH2 data set."""

from pathlib import Path

from lesionseg.data.datasets.paired import Pair, PairedDataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.discovery.names import PH2_FOLDER
from lesionseg.data.discovery.scanner import ph2_folder, scan_ph2
from lesionseg.data.io.mask_values import OFFICIAL
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten


class PH2Dataset(PairedDataset):
    """PH2: 200 dermoscopy images of melanocytic lesions with masks, about 765 x 574, in BMP files.

    Reads ``PH2 Dataset images/IMD002/IMD002_Dermoscopic_Image/IMD002.bmp`` and
    ``IMD002_lesion/IMD002_lesion.bmp`` beside it. Masks are 1-bit, in some copies 24-bit RGB.

    Args:
        root: the unpacked ``PH2Dataset`` folder, the folder that holds it, or ``PH2 Dataset
            images`` itself.
        size: height and width in pixels of ``image`` and ``mask``.
        with_truth: add ``truth``, the mask file's grey values at the original size.
        on_error: ``stop``, or ``skip``, which reads every file once now and leaves out, with a
            warning that names each and the reason, what has no partner or cannot be used.

    Raises:
        DatasetNotFoundError: if there are no PH2 images under ``root``.
        InvalidDataError: if images have no mask or masks no image.
    """

    url = "https://www.fc.up.pt/addi/ph2%20database.html"
    official_rule = OFFICIAL
    licence = "No open licence: for research and education, on request from its authors."
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
    ) -> None:
        folder = ph2_folder(Path(root).expanduser())
        if folder is None:
            raise DatasetNotFoundError(f"There is no folder '{PH2_FOLDER}' in {root}; {self._mend}")
        found = scan_ph2(folder)
        masks = found.masks or {}
        pairs = [Pair(id_, found.images[id_], masks[id_]) for id_ in found.images if id_ in masks]
        lonely = [
            f"{id_}_lesion.bmp" if id_ in found.images else f"{id_}.bmp"
            for id_ in found.ids
            if not (id_ in found.images and id_ in masks)
        ]
        skip = check_on_error(on_error) == "skip"
        if lonely and not skip:
            raise InvalidDataError(
                f"{len(lonely)} of {len(found.ids)} PH2 cases lack a file: {shorten(lonely)}; "
                "unpack the data set again."
            )
        if not pairs:
            raise DatasetNotFoundError(f"{folder} holds no PH2 cases such as IMD002; {self._mend}")
        alone = dict.fromkeys(lonely, "It does not exist, so its case is left out.")
        super().__init__(pairs, size, with_truth, on_error, alone)

    _mend = (
        "bring your own copy of PH2 and pass the folder 'PH2Dataset' that it unpacks to; "
        f"see {url}."
    )
