"""Decode image files safely, with one sentence for a file that cannot be decoded."""

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from PIL import ExifTags, Image, UnidentifiedImageError

from lesionseg.data.io import dicom
from lesionseg.data.io.arrays import MAGIC, read_array
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError

MOST_PIXELS = 200_000_000
"""Largest image or mask, 20,000 x 10,000. Chosen: Pillow's own limits (a warning at 89 million, an
error at 179 million) guard against decompression bombs, and panoramas come near them; segmenting
takes about 16 bytes for each pixel. For more, or no limit, set ``PIL.Image.MAX_IMAGE_PIXELS``."""

RASTER_FORMATS = (
    "JPEG",
    "MPO",
    "PNG",
    "TIFF",
    "BMP",
    "DIB",
    "WEBP",
    "GIF",
    "JPEG2000",
    "PPM",
    "AVIF",
    "HEIF",
    "TGA",  # has no signature, so it is tried last
)
"""Formats that are opened, by Pillow's names. Others are refused, as Pillow would hand a PostScript
program to Ghostscript, whatever the file's name."""

#: Transposes stored pixels as they are to be shown (EXIF 2.32, tag 274).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_SIDEWAYS = 5

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif"}


class Decoded(NamedTuple):
    """A decoded file.

    Attributes:
        image: Stored pixels of any mode, perhaps at a reduced scale.
        original: The file's height and width after EXIF orientation, as a viewer shows it.
        box: Region of ``image`` that the picture covers, in pixels, if it is at a reduced scale.
        orientation: EXIF orientation that ``image`` still needs, 1 to 8.
    """

    image: Image.Image
    original: tuple[int, int]
    box: tuple[float, float, float, float] | None
    orientation: int = 1

    @property
    def sideways(self) -> bool:
        """Whether the orientation exchanges height and width."""
        return self.orientation >= _FIRST_SIDEWAYS

    def upright(self) -> Image.Image:
        """Return the image as a viewer shows it."""
        return turn(self.image, self.orientation)


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Apply an EXIF orientation to stored pixels."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


_counting = threading.Lock()
_reading = 0  # threads within raised_pixel_limit
_limit: int | None = None  # Pillow's own, saved by the first of them


@contextmanager
def raised_pixel_limit() -> Iterator[None]:
    """Raise Pillow's pixel limit to :data:`MOST_PIXELS` within the block, and restore it after.

    Pillow has one limit per process, so threads share the raised one.
    """
    global _reading, _limit
    with _counting:
        if _reading == 0:
            _limit = Image.MAX_IMAGE_PIXELS
            if _limit is not None:
                Image.MAX_IMAGE_PIXELS = max(_limit, MOST_PIXELS)
        _reading += 1
    try:
        yield
    finally:
        with _counting:
            _reading -= 1
            if _reading == 0:
                Image.MAX_IMAGE_PIXELS = _limit


def open_raster(file: IO[bytes]) -> Image.Image:
    """Open an image of one of :data:`RASTER_FORMATS`, detected from its content.

    Args:
        file: Opened for reading.

    Raises:
        UnidentifiedImageError: If it is in another format, or one that Pillow was built without.
    """
    Image.init()  # loads all formats, also for other threads
    return Image.open(file, formats=[name for name in RASTER_FORMATS if name in Image.OPEN])


def read_orientation(path: Path) -> int:
    """Return the EXIF orientation of an image file, 1 to 8; 1 if none can be read."""
    try:
        with raised_pixel_limit(), path.open("rb") as file, open_raster(file) as image:
            return _orientation(image)
    except Exception:  # decoding the file reports what is wrong with it
        return 1


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF: shown as stored, as viewers do
        return 1
    return value if value in _TURNS else 1


def decode(path: Path, kind: str, at_least: tuple[int, int] | None = None) -> Decoded:
    """Open and decode a file, or raise an error whose message says why not in one sentence.

    Of several pictures in a file the first is decoded. The format is detected from the content, not
    the suffix. Color profiles are not applied.

    Args:
        path: File to decode.
        kind: ``image`` or ``mask``, for messages.
        at_least: Height and width as shown; a JPEG is decoded at the smallest scale of 1/8, 1/4,
            1/2 and 1 that gives at least these. None decodes at full size.

    Raises:
        DatasetNotFoundError: If there is no such file.
        InvalidDataError: If it is empty, truncated, too large, a pipe or a device, or in none of
            :data:`RASTER_FORMATS`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "photo.jpg")
        ...     exif = Image.Exif()
        ...     exif[ExifTags.Base.Orientation] = 6  # stored lying on its side
        ...     Image.new("RGB", (800, 600)).save(path, exif=exif)
        ...     decoded = decode(path, "image", at_least=(100, 75))
        >>> decoded.original, decoded.image.size, decoded.upright().size
        ((800, 600), (100, 75), (75, 100))
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not path.is_dir():
            raise InvalidDataError(f"The {kind} {path} is a pipe or a device; give a regular file.")
        if status.st_size == 0:
            raise InvalidDataError(
                f"The {kind} {path} is empty (0 bytes); copy or download it again."
            )
        with raised_pixel_limit():
            return _decode(path, kind, at_least)
    except (LesionsegError, MemoryError):
        raise
    except FileNotFoundError:
        raise DatasetNotFoundError(f"The {kind} {path} does not exist; check the path.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidDataError(_too_large(kind, path)) from None
    except UnidentifiedImageError as error:
        raise InvalidDataError(_unidentified(kind, path)) from error
    # Pillow's decoders raise errors of many types for broken files, even SyntaxError.
    except Exception as error:
        if path.is_dir():
            reason = "is a folder; give the file itself"
        elif isinstance(error, PermissionError):
            reason = "cannot be read; change its permissions"
        else:
            reason = f"is truncated or not an image ({error}); copy or download it again"
        raise InvalidDataError(f"The {kind} {path} {reason}.") from error


def _decode(path: Path, kind: str, at_least: tuple[int, int] | None) -> Decoded:
    image: Image.Image
    # Opened by path, an uncompressed TIFF is memory-mapped by Pillow 13, which exchanges
    # height and width of a sideways one, which scrambles its pixels.
    with path.open("rb") as file:
        start = file.read(dicom.START)
        if dicom.starts_dicom(start):
            most = max(Image.MAX_IMAGE_PIXELS or MOST_PIXELS, MOST_PIXELS)
            picture = dicom.read_dicom(path, kind, most)
            return Decoded(picture, (picture.height, picture.width), None)
        if start.startswith(MAGIC):
            array = read_array(path, kind)
            return Decoded(array, (array.height, array.width), None)
    with path.open("rb") as file, open_raster(file) as image:
        if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
            raise InvalidDataError(_too_large(kind, path))
        box = None
        full = image.size
        if at_least is not None and image.format in ("JPEG", "MPO"):  # only these have draft()
            height, width = at_least
            if _orientation(image) >= _FIRST_SIDEWAYS:
                height, width = width, height
            draft = image.draft("RGB", (width, height))
            box = draft[1] if draft and image.size != full else None
        image.load()
        # After load(): a PNG's EXIF may follow its pixels, and Pillow transposes a TIFF by itself.
        orientation = _orientation(image)
    width, height = image.size if box is None else full
    original = (width, height) if orientation >= _FIRST_SIDEWAYS else (height, width)
    return Decoded(image, original, box, orientation)


def _too_large(kind: str, path: Path) -> str:
    limit = max(Image.MAX_IMAGE_PIXELS or 0, MOST_PIXELS)
    return f"The {kind} {path} has more than {limit / 1e6:g} million pixels; make it smaller."


def _unidentified(kind: str, path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:] in _HEIF_BRANDS:
        return (
            f"The {kind} {path} is in HEIC or AVIF format, which Pillow cannot read here; save it "
            "as JPEG or PNG."
        )
    return f"The {kind} {path} is truncated or not an image; copy or download it again."
