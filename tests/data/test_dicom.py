"""DICOM photographs in, DICOM segmentations out; files are made by pydicom."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from lesionseg.cli import main as cli
from lesionseg.data import read_image, read_mask
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.inference import Segmentation, loading, segment

pydicom = pytest.importorskip("pydicom")

LESION = (slice(10, 20), slice(8, 30))


def picture():
    pixels = np.full((30, 40, 3), (200, 150, 140), np.uint8)
    pixels[LESION] = (90, 40, 30)
    return pixels


def write(path, pixels, photometric="RGB", bits=8, **attributes):
    """A file as a dermatoscope exports it."""
    file = pydicom.Dataset()
    file.SOPClassUID = pydicom.uid.DermoscopicPhotographyImageStorage
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(file, name, pydicom.uid.generate_uid())
    file.PatientName, file.PatientID, file.Modality = "Doe^Jane", "7", "DMS"
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        setattr(file, name, "")
    file.AccessionNumber = file.ReferringPhysicianName = ""
    file.SeriesNumber = file.InstanceNumber = 1
    file.set_pixel_data(pixels, photometric, bits)
    for name, value in attributes.items():
        setattr(file, name, value)
    file.save_as(path, enforce_file_format=True)
    return path


def write_jpeg(path, pixels):
    """A file whose pixels are a JPEG, as most cameras store them."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0)
    file = pydicom.dcmread(write(path, pixels))
    file.PixelData = pydicom.encaps.encapsulate([buffer.getvalue()])
    file.PhotometricInterpretation = "YBR_FULL_422"
    file.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    file.save_as(path, enforce_file_format=True)
    return path


def find_dark(image):
    mask = np.asarray(image.convert("L")) < 100
    return Segmentation(mask, mask.astype(np.float32))


def test_colors(tmp_path):
    pixels = picture()
    read = read_image(write(tmp_path / "rgb.dcm", pixels))
    assert (np.asarray(read) == pixels).all()
    luma = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    read = read_image(write(tmp_path / "ybr.dcm", luma, "YBR_FULL"))
    assert np.abs(np.asarray(read, int) - pixels).max() <= 2
    read = read_image(write_jpeg(tmp_path / "jpeg.dcm", pixels))
    assert np.abs(np.asarray(read, int) - pixels).mean() <= 3
    # pairs of pixels share their color: Y Y Cb Cr
    path = write(tmp_path / "422.dcm", luma, "YBR_FULL")
    file = pydicom.dcmread(path)
    pairs = luma.reshape(-1, 2, 3)
    packed = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], 1)
    file.PhotometricInterpretation, file.PixelData = "YBR_FULL_422", packed.tobytes()
    file.save_as(path)
    assert np.abs(np.asarray(read_image(path), int) - pixels).max() <= 2


def test_gray_values(tmp_path):
    gray = np.arange(256, dtype=np.uint8).reshape(8, 32)
    for what, expected in (("MONOCHROME2", gray), ("MONOCHROME1", 255 - gray)):
        read = read_image(write(tmp_path / "a.dcm", gray, what))
        assert read.mode == "RGB"
        assert (np.asarray(read)[..., 0] == expected).all()
    deep = (gray.astype(np.uint16) * 257) >> 4  # 12 bits
    read = read_image(write(tmp_path / "a.dcm", deep, "MONOCHROME2", 12))
    assert np.abs(np.asarray(read, int)[..., 0] - gray).max() <= 1
    window = {"WindowCenter": 1024, "WindowWidth": 512, "VOILUTFunction": "LINEAR_EXACT"}
    read = read_image(write(tmp_path / "a.dcm", deep, "MONOCHROME2", 12, **window))
    share = (deep.astype(float) - 768) / 512
    expected = (share.clip(0, 1) * 255).round()
    assert np.abs(np.asarray(read, int)[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.02, 0.03]}, (0.02, 0.03)),
        ({"ImagerPixelSpacing": [0.04, 0.05]}, (0.04, 0.05)),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, (0.1, 0.1)),
        ({"PixelSpacing": [0.02, 0.03], "ImagerPixelSpacing": [1, 1]}, (0.02, 0.03)),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.5, 0.5]}, (0.5, 0.5)),
    ],
)
def test_pixel_spacing(tmp_path, attributes, expected):
    path = write(tmp_path / "a.dcm", picture(), **attributes)
    result = segment(path, find_dark)
    assert result.pixel_spacing == expected
    if expected is not None:
        assert result.measures.area_mm2 == pytest.approx(220 * expected[0] * expected[1])
        assert segment(path, find_dark, pixel_spacing=1).measures.area_mm2 == 220


def test_what_cannot_be_used_is_said(tmp_path, monkeypatch):
    path = tmp_path / "a.dcm"
    write(path, np.zeros((3, 4, 5), np.uint8), "MONOCHROME2")
    with pytest.raises(InvalidDataError, match="3 frames; export each as a file of its own"):
        read_image(path)
    write(path, picture(), Rows=20_000, Columns=20_000)
    with pytest.raises(InvalidDataError, match="more than 200 million pixels"):
        read_image(path)
    write(path, picture(), PhotometricInterpretation="HSV")
    with pytest.raises(InvalidDataError, match="photometric interpretation HSV"):
        read_image(path)
    write(path, picture(), PixelData=b"12")
    with pytest.raises(InvalidDataError, match="cannot be decoded"):
        read_image(path)
    file = pydicom.dcmread(write(path, picture()))
    del file.PixelData
    file.save_as(path)
    with pytest.raises(InvalidDataError, match="without a picture"):
        read_image(path)
    path.write_bytes(path.read_bytes()[:140])
    with pytest.raises(InvalidDataError, match=r"a\.dcm"):
        read_image(path)
    write(path, picture())
    found = builtins.__import__

    def without(name, *rest):
        if name == "pydicom":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LesionsegError, match=r'needs pydicom; install it .*"lesionseg\[dicom\]"'):
        read_image(path)


def test_a_segmentation_returns(tmp_path, monkeypatch, capsys):
    """It names the photograph, its patient and study, and holds the mask, also an empty one."""
    pytest.importorskip("highdicom")
    monkeypatch.setattr(loading, "load_predictor", lambda *_: find_dark)
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.dcm", picture(), PixelSpacing=[0.1, 0.1])
    write(tmp_path / "in" / "b.dcm", picture() | 128)
    arguments = ["segment", f"{tmp_path}/in", f"--output={tmp_path}/out", "--format=dicom-seg,csv"]
    assert cli.main(arguments) == 0
    assert "b.dcm: nothing found" in capsys.readouterr().out
    found = pydicom.dcmread(tmp_path / "out" / "a_segmentation.dcm")
    photograph = pydicom.dcmread(tmp_path / "in" / "a.dcm")
    expected = np.zeros((30, 40), bool)
    expected[LESION] = True
    assert (found.pixel_array == expected).all()
    assert found.SOPClassUID == pydicom.uid.SegmentationStorage
    for name in ("StudyInstanceUID", "PatientID", "PatientName"):
        assert found[name].value == photograph[name].value
    (series,) = found.ReferencedSeriesSequence
    (referenced,) = series.ReferencedInstanceSequence
    assert referenced.ReferencedSOPInstanceUID == photograph.SOPInstanceUID
    (described,) = found.SegmentSequence
    assert described.SegmentLabel == "lesion"
    assert (read_mask(tmp_path / "out" / "a_segmentation.dcm") == 255 * expected).all()
    empty = pydicom.dcmread(tmp_path / "out" / "b_segmentation.dcm")
    assert not empty.pixel_array.any()
    assert cli.main(arguments) == 0  # over its own results
    with pytest.raises(InvalidDataError, match="a DICOM segmentation, not a photograph"):
        read_image(tmp_path / "out" / "a_segmentation.dcm")
