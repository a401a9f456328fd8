"""Read DICOM files with pydicom: dermoscopy as clinics export it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.errors import InvalidDataError, LesionsegError

MAGIC_AT = 128  # bytes of preamble before the magic number
START = MAGIC_AT + 4  # bytes from which a DICOM file is known
_MAGIC = b"DICM"

# In this order; the last is of scanned film and prints.
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")


def starts_dicom(start: bytes) -> bool:
    """Return whether the first :data:`START` bytes of a file are those of a DICOM file."""
    return start[MAGIC_AT:START] == _MAGIC


def is_dicom(path: Path) -> bool:
    """Return whether a file starts as a DICOM file does.

    Example:
        >>> from pathlib import Path
        >>> from lesionseg.data.io.dicom import is_dicom
        >>> is_dicom(Path("nowhere.dcm"))
        False
    """
    try:
        with path.open("rb") as file:
            return starts_dicom(file.read(START))
    except OSError:
        return False


def read_dicom(path: Path, kind: str, most_pixels: int) -> Image.Image:
    """Read the picture of a DICOM file as 8 bits.

    Supported are ``MONOCHROME1``, ``MONOCHROME2``, ``RGB``, ``YBR_FULL``, ``YBR_FULL_422``, JPEG
    2000's ``YBR_ICT`` and ``YBR_RCT``, and ``PALETTE COLOR``. The window of a gray image is
    applied; without one, gray values are scaled by the number of bits stored.

    Args:
        path: DICOM file of one frame.
        kind: ``image`` or ``mask``, for messages.
        most_pixels: Largest number of pixels.

    Returns:
        Image of mode ``RGB`` or ``L``, whose ``info["pixel_spacing"]`` is the (row, column)
        distance between pixel centers in millimeters, if the file has one.

    Raises:
        LesionsegError: If pydicom is not installed.
        InvalidDataError: If the file has no picture, more than one, or one that cannot be decoded.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from pydicom import Dataset
        >>> from pydicom.uid import DermoscopicPhotographyImageStorage, ExplicitVRLittleEndian
        >>> from lesionseg.data import read_image
        >>> file = Dataset()
        >>> file.SOPClassUID, file.SOPInstanceUID = DermoscopicPhotographyImageStorage, "1.2.3"
        >>> file.PixelSpacing = [0.02, 0.02]
        >>> file.set_pixel_data(np.full((30, 40, 3), 99, np.uint8), "RGB", 8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "photo.dcm")
        ...     file.save_as(path, enforce_file_format=True)
        ...     image = read_image(path)
        >>> image.size, image.info["pixel_spacing"]
        ((40, 30), (0.02, 0.02))
    """
    try:
        import pydicom
    except ImportError as error:
        raise LesionsegError(
            f"The {kind} {path} is a DICOM file, which needs pydicom; install it with pip install "
            '"lesionseg[dicom]".'
        ) from error
    file = pydicom.dcmread(path)
    if file.get("Modality") == "SEG" and kind == "image":
        raise InvalidDataError(
            f"The image {path} is a DICOM segmentation, not a photograph; give the photograph."
        )
    if "PixelData" not in file:
        raise InvalidDataError(f"The {kind} {path} is a DICOM file without a picture; remove it.")
    frames = int(file.get("NumberOfFrames") or 1)
    if frames > 1:
        raise InvalidDataError(
            f"The {kind} {path} is a DICOM file of {frames} frames; export each as a file of its "
            "own."
        )
    if int(file.Rows) * int(file.Columns) > most_pixels:
        raise InvalidDataError(
            f"The {kind} {path} has more than {most_pixels / 1e6:g} million pixels; make it "
            "smaller."
        )
    what = str(file.get("PhotometricInterpretation"))
    if what not in _GRAY + _COLOR:
        raise InvalidDataError(
            f"The {kind} {path} is a DICOM file of the photometric interpretation {what}, which is "
            "not supported; export it as RGB."
        )
    try:
        pixels = _pixels(file, what)
    except Exception as error:  # pydicom and its plugins raise errors of many types
        reason = " ".join(str(error).split())
        raise InvalidDataError(
            f"The pixels of the DICOM file {path} cannot be decoded ({reason[:200]}); export it "
            "uncompressed or as JPEG."
        ) from error
    image = Image.fromarray(pixels)
    spacing = pixel_spacing(file)
    if spacing is not None:
        image.info["pixel_spacing"] = spacing
    return image


def pixel_spacing(file: Any) -> tuple[float, float] | None:
    """Return the (row, column) distance between pixel centers in millimeters that a file names.

    ``PixelSpacing``, else ``ImagerPixelSpacing``, else ``NominalScannedPixelSpacing``; None if
    there is none that is two positive numbers.
    """
    for name in _SPACINGS:
        try:
            row, column = (float(value) for value in file.get(name))
        except (TypeError, ValueError):  # absent, or of another length
            continue
        if 0 < row < float("inf") and 0 < column < float("inf"):
            return row, column
    return None


def _pixels(file: Any, what: str) -> npt.NDArray[np.uint8]:
    """Return the picture as uint8 (height, width) or (height, width, 3)."""
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing, pixel_array

    values: npt.NDArray[Any] = pixel_array(file)  # as RGB, not YBR
    if what == "PALETTE COLOR":
        values = apply_color_lut(values, file)
        top = 255.0 if values.dtype == np.uint8 else 65535.0
        return _scaled(values, 0.0, top)
    bits = int(file.BitsStored)
    if what not in _GRAY:
        return _scaled(values, 0.0, 2.0**bits - 1)
    if "WindowWidth" in file:
        values = apply_windowing(apply_modality_lut(values, file), file)
        slope = float(file.get("RescaleSlope", 1) or 1)
        shift = float(file.get("RescaleIntercept", 0) or 0)
    else:
        slope, shift = 1.0, 0.0
    lowest = -(2.0 ** (bits - 1)) if int(file.get("PixelRepresentation", 0)) else 0.0
    highest = lowest + 2.0**bits - 1
    gray = _scaled(values, lowest * slope + shift, highest * slope + shift)
    return 255 - gray if what == "MONOCHROME1" else gray


def _scaled(values: npt.NDArray[Any], lowest: float, highest: float) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8 and (lowest, highest) == (0, 255):
        return values
    share = (values.astype(np.float32) - lowest) / (highest - lowest)
    scaled: npt.NDArray[np.uint8] = (share.clip(0, 1) * 255).round().astype(np.uint8)
    return scaled
