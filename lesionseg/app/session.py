"""What the page does with photographs, without Gradio."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.data.io.reading import read_image
from lesionseg.errors import CheckpointError, InvalidDataError, LesionsegError, printable
from lesionseg.files import file_lock
from lesionseg.inference.loading import load_predictor
from lesionseg.inference.outputs import save_mask
from lesionseg.inference.saving import ResultWriter
from lesionseg.inference.segmentation import ImagePredictor, Segmentation, with_photograph
from lesionseg.pretrained import DEFAULT, list_pretrained
from lesionseg.visualization import save_picture

MAX_PIXELS = 50_000_000
"""Largest number of pixels of a photograph; those of phones have 50 million and fewer."""
_KEPT = 3  # models in memory


class Models:
    """Models of the page, loaded on first use; several users may share them.

    Args:
        extra: Checkpoints, folders of ``save_pretrained`` and ``.onnx`` files, beside the models
            of the package.

    Raises:
        CheckpointError: If an extra model cannot be used.

    Example:
        >>> from lesionseg.app.session import Models
        >>> Models().names
        ['asnet-lite', 'mobilegan', 'mobilegan-distilled']
    """

    def __init__(self, extra: Sequence[str | Path] = ()) -> None:
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, ImagePredictor] = OrderedDict()
        self.names = list_pretrained()
        self.default = DEFAULT
        for path in extra:
            name = str(path)
            self.get(name)  # a wrong file is an error before the page opens
            if name not in self.names:
                self.names.append(name)
        if extra:
            self.default = str(extra[0])

    def add(self, path: str | Path) -> str:
        """Add the file of a model, such as an uploaded one, and return its name."""
        name = str(path)
        self.get(name)
        if name not in self.names:
            self.names.append(name)
        return name

    def get(self, name: str) -> ImagePredictor:
        """Return the predictor of a model, one of a few that stay in memory."""
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_predictor(name)
                while len(self._loaded) > _KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(name)
            return self._loaded[name]

    def segment(self, image: Image.Image, name: str) -> Segmentation:
        """Segment a photograph; one at a time, whoever asks."""
        predictor = self.get(name)
        with self._lock:
            return predictor(image)


def threshold_of(predictor: ImagePredictor) -> float:
    """Return the threshold of a model."""
    about: Any = getattr(predictor, "metadata", predictor)
    return float(getattr(about, "threshold", 0.5))


def open_photograph(path: str | Path) -> Image.Image:
    """Read a photograph, upright.

    Raises:
        InvalidDataError: If it is not an image, or too large.
    """
    path = Path(path)
    try:
        with Image.open(path) as found:
            pixels = found.width * found.height
    except Image.DecompressionBombError as error:
        raise InvalidDataError(
            f"{path.name} has too many pixels; reduce it to at most {MAX_PIXELS // 10**6} million."
        ) from error
    except OSError:
        pixels = 0  # read_image says what is wrong
    if pixels > MAX_PIXELS:
        raise InvalidDataError(
            f"{path.name} has {pixels / 1e6:.0f} million pixels; reduce it to at most "
            f"{MAX_PIXELS // 10**6} million."
        )
    try:
        return read_image(path)
    except LesionsegError as error:
        raise InvalidDataError(str(error).replace(str(path), path.name)) from error


def with_threshold(result: Segmentation, threshold: float) -> Segmentation:
    """Return a segmentation with the mask of another threshold."""
    return replace(result, mask=result.probability > threshold)


def heat(values: npt.NDArray[np.float32]) -> Image.Image:
    """Return a map in [0, 1] as a picture from dark to bright, matplotlib's ``inferno``."""
    from matplotlib import colormaps  # slow to import

    picture = (colormaps["inferno"](values.clip(0, 1))[..., :3] * 255).astype(np.uint8)
    return Image.fromarray(picture)


def corrected_mask(
    mask: npt.NDArray[np.bool_], layers: Sequence[Image.Image]
) -> npt.NDArray[np.bool_]:
    """Return a mask with what was painted: red adds to the lesion, blue removes from it.

    Args:
        mask: Mask of the photograph.
        layers: RGBA layers of the editor, of any size; opaque pixels are painted.
    """
    corrected: npt.NDArray[np.bool_] = mask.copy()
    height, width = mask.shape
    for layer in layers:
        resized = layer.convert("RGBA").resize((width, height), Image.Resampling.NEAREST)
        red, _, blue, alpha = np.moveaxis(np.asarray(resized), -1, 0)
        painted = alpha > 127
        corrected[painted] = (red > blue)[painted]
    return corrected


def save_pair(
    image: Image.Image, mask: npt.NDArray[np.bool_], name: str, folder: Path
) -> tuple[Path, Path]:
    """Save a photograph and its mask as a training pair.

    ``folder`` then holds ``images/NAME.png`` and ``masks/NAME.png``, which
    :class:`lesionseg.FolderDataModule` reads as its ``root``. A pair of the same name is never
    replaced: the new one gets a number.

    Returns:
        Paths of image and mask.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> from lesionseg.app.session import save_pair
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for _ in range(2):
        ...         image, mask = Image.new("RGB", (6, 4)), np.ones((4, 6), bool)
        ...         print(save_pair(image, mask, "mole", Path(folder))[1].name)
        mole.png
        mole-2.png
    """
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_ ." else "_" for c in Path(name).stem) or "image"
    with file_lock(folder / ".lock", on_wait=lambda: None):  # two users may save at once
        for number in count(1):
            file = f"{stem if number == 1 else f'{stem}-{number}'}.png"
            paths = folder / "images" / file, folder / "masks" / file
            if not any(path.exists() for path in paths):
                break
        save_mask(mask, paths[1])  # first: an image without a mask would stop a training
        save_picture(image.convert("RGB"), paths[0])
    return paths


def segment_batch(
    paths: Sequence[Path], models: Models, name: str, threshold: float, folder: Path
) -> tuple[Path, list[dict[str, object]], list[str]]:
    """Segment several photographs into a zip of masks, overlays and a table of measures.

    Args:
        paths: Photographs.
        models: The models.
        name: Name of the model.
        threshold: A pixel is lesion if its probability is above this.
        folder: Folder for the zip.

    Returns:
        Path of the zip, rows of its ``measures.csv``, and a sentence for each photograph that was
        skipped.

    Raises:
        InvalidDataError: If no photograph can be used.
    """
    models.get(name)
    skipped: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    here = Path(tempfile.mkdtemp(dir=folder))
    writer = ResultWriter(here / "segmentations", ("mask", "overlay", "csv"))
    used: set[str] = set()
    for path in paths:
        try:
            image = open_photograph(path)
            result = with_threshold(models.segment(image, name), threshold)
        except LesionsegError as error:
            skipped.append(printable(str(error)))
            continue
        stem = next(
            stem
            for number in count(1)
            if (stem := path.stem if number == 1 else f"{path.stem}-{number}") not in used
        )
        used.add(stem)
        writer.add(with_photograph(result, image, path), stem)
    if not used:
        raise InvalidDataError(" ".join(skipped) or "Choose at least one photograph.")
    writer.write_tables()
    return pack(writer.folder), writer.rows, skipped


def pack(folder: Path) -> Path:
    """Pack the files of a folder into a zip beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def flat_measures(result: Segmentation) -> dict[str, object]:
    """Return the measures that are known, lists joined with spaces."""
    found: dict[str, object] = {}
    for name, value in result.measures.to_dict().items():
        if value is not None:
            parts = value if isinstance(value, list | tuple) else [value]
            parts = [round(part, 4) if isinstance(part, float) else part for part in parts]
            found[name] = parts[0] if len(parts) == 1 else " ".join(map(str, parts))
    return found


def check_model_file(path: Path) -> Path:
    """Return the path of an uploaded model if it may be one.

    Raises:
        CheckpointError: If its suffix is of something else.
    """
    if path.suffix.lower() not in (".ckpt", ".onnx"):
        raise CheckpointError(f"{path.name} is neither a checkpoint (.ckpt) nor an .onnx file.")
    return path
