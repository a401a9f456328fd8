"""Write a mask as a DICOM segmentation of its DICOM photograph, with highdicom."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionseg._version import __version__
from lesionseg.data.io.dicom import MAGIC_AT, is_dicom
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.files import MARK, atomic_path

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import Segmentation


def save_dicom_seg(result: Segmentation, path: Path) -> None:
    """Write the mask as DICOM SEG, which refers to the photograph and its patient and study.

    One binary segment, a lesion of the skin. An empty mask is written too.

    Args:
        result: Segmentation whose ``source`` is a DICOM file.
        path: File to write.

    Raises:
        LesionsegError: If highdicom is not installed.
        InvalidDataError: If the photograph is not a DICOM file, or lacks what a segmentation needs.
    """
    if result.source is None or not is_dicom(result.source):
        raise InvalidDataError(
            f"a DICOM segmentation refers to a DICOM photograph, and {result.file_name} is none; "
            "choose another format, such as mask."
        )
    try:
        import highdicom
        import pydicom
        from pydicom.sr.codedict import codes
    except ImportError as error:
        raise LesionsegError(
            'the format dicom-seg needs highdicom; install it with pip install "lesionseg[dicom]".'
        ) from error
    photograph = pydicom.dcmread(result.source)
    segment = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="lesion",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="lesionseg",
            family=codes.DCM.ArtificialIntelligence,
            version=__version__,
        ),
        anatomic_regions=[codes.SCT.Skin],
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about patients' names
            file = highdicom.seg.Segmentation(
                source_images=[photograph],
                pixel_array=result.mask[None].astype(np.uint8),
                segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=[segment],
                series_instance_uid=highdicom.UID(),
                series_number=100,
                sop_instance_uid=highdicom.UID(),
                instance_number=1,
                manufacturer="lesionseg",
                manufacturer_model_name="lesionseg",
                software_versions=__version__,
                device_serial_number="0",
                content_description=MARK,
                content_label="LESION",
                omit_empty_frames=False,
            )
    except (AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InvalidDataError(
            f"{result.source} cannot be the source of a DICOM segmentation ({reason[:200]}); "
            "export the photograph with its patient, study and series."
        ) from error
    file.preamble = MARK.encode().ljust(MAGIC_AT, b"\0")
    with atomic_path(path) as temporary:
        file.save_as(temporary, enforce_file_format=True)
