"""Segment photographs in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lesionseg.data.input_defaults import ASNET_DEFAULTS
from lesionseg.data.io.pixel_modes import to_rgb
from lesionseg.data.io.reading import read_image
from lesionseg.inference.loading import load_predictor
from lesionseg.inference.measures import check_spacing
from lesionseg.inference.predictor import Predictor
from lesionseg.inference.segmentation import ImagePredictor, Segmentation, with_photograph
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.pretrained import DEFAULT
from lesionseg.visualization import to_picture

if TYPE_CHECKING:
    from lesionseg.models import SegmentationModule


ImageLike: TypeAlias = "str | Path | Image.Image | npt.NDArray[Any] | Tensor"
Spacing: TypeAlias = "float | tuple[float, float] | None"
ModelLike: TypeAlias = "str | Path | ImagePredictor | SegmentationModule | torch.nn.Module"


@overload
def segment(
    image: ImageLike, model: ModelLike = DEFAULT, *, pixel_spacing: Spacing = None
) -> Segmentation: ...
@overload
def segment(
    image: list[ImageLike] | tuple[ImageLike, ...],
    model: ModelLike = DEFAULT,
    *,
    pixel_spacing: Spacing = None,
) -> list[Segmentation]: ...
def segment(
    image: ImageLike | list[ImageLike] | tuple[ImageLike, ...],
    model: ModelLike = DEFAULT,
    *,
    pixel_spacing: Spacing = None,
) -> Segmentation | list[Segmentation]:
    """Segment an image, or several.

    Args:
        image: A path, a PIL image, an array (height, width, 3) or a tensor (3, height, width),
            uint8 or floating point in [0, 1]; or a list or tuple of these. The EXIF orientation of
            a file is applied, that of a PIL image is ignored.
        model: A name of :func:`lesionseg.list_pretrained`; the path of a checkpoint, of a folder of
            ``save_pretrained`` or of an exported ``.onnx`` file (read at every call; for many
            images use :func:`~lesionseg.inference.load_predictor`); a predictor; a model; or a
            network that maps images (N, 3, H, W) in [0, 1] to logits (N, 1, H, W), such as those of
            :func:`~lesionseg.networks.create_network`. Images are resized to a network's
            ``default_size``, 192 x 256 if it has none, and the threshold is 0.5; for other values
            make a :class:`~lesionseg.inference.Predictor`.
        pixel_spacing: Distance between pixel centers in millimeters, or (row, column) distances,
            for measures in millimeters. None takes that of a DICOM file, if it has one.

    Returns:
        The segmentation at the size of the image, with the EXIF orientation of a file applied; a
        list for a list. The training mode of a model does not change.

    Raises:
        InvalidDataError: If an image cannot be read.
        CheckpointError: If the checkpoint cannot be used.
        TypeError: If the image or the model is of another type.
        ValueError: If an array or tensor is not an image.

    Example:
        >>> import numpy as np
        >>> import lesionseg
        >>> photo = np.full((30, 40, 3), 200, np.uint8)  # or a path
        >>> result = lesionseg.segment(photo, "mobilegan")
        >>> result.mask.shape, result.probability.shape
        ((30, 40), (30, 40))
    """
    if isinstance(model, (str, Path)):
        check_spacing(pixel_spacing)
        if isinstance(image, (str, Path)):
            if not Path(image).is_file():
                read_image(image)  # raises an error before the model is read
        elif not isinstance(image, (list, tuple)):
            image = _to_image(image)  # likewise
        model = load_predictor(model)
    if isinstance(image, (list, tuple)):
        return [_complete(item, model, pixel_spacing) for item in image]
    return _complete(image, model, pixel_spacing)


def _complete(
    image: ImageLike,
    model: ImagePredictor | SegmentationModule | torch.nn.Module,
    pixel_spacing: Spacing,
) -> Segmentation:
    picture = _to_image(image)
    source = image if isinstance(image, (str, Path)) else None
    return with_photograph(_segment(picture, model), picture, source, pixel_spacing)


def _segment(
    picture: Image.Image, model: ImagePredictor | SegmentationModule | torch.nn.Module
) -> Segmentation:
    if not isinstance(model, torch.nn.Module):
        if not callable(model):
            raise TypeError(
                "expected model to be a model, a network, a predictor, the name of a pretrained "
                f"model, or the path of a checkpoint or .onnx file, got {type(model).__name__}"
            )
        return model(picture)
    # Not with isinstance: LightningModule is slow to import.
    network = getattr(model, "network", None)
    if isinstance(network, torch.nn.Module) and hasattr(model, "threshold"):
        known = cast("SegmentationModule", model)
        device, augmentation = known.device, known.test_time_augmentation
        postprocess = known.postprocess
        size, threshold = known.size, known.threshold
    else:
        network = model
        device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
        size, threshold = (
            getattr(network, "default_size", ASNET_DEFAULTS.size),
            PROBABILITY_THRESHOLD,
        )
        augmentation = "none"
        postprocess = "none"
    modes = {module: module.training for module in network.modules()}
    try:
        return Predictor(network.eval(), size, threshold, device, augmentation, postprocess)(
            picture
        )
    finally:
        for module, training in modes.items():
            module.training = training


def _to_image(image: ImageLike) -> Image.Image:
    if isinstance(image, (str, Path)):
        return read_image(image)
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if isinstance(image, Tensor):
        tensor = image
    elif isinstance(image, np.ndarray):
        tensor = torch.from_numpy(np.array(image))
        tensor = tensor.movedim(-1, 0) if tensor.ndim == 3 else tensor
    else:
        fix = "; open them with PIL.Image.open(io.BytesIO(...))" if _is_bytes(image) else ""
        raise TypeError(
            "expected image to be a path, a PIL image, an array (height, width, 3), a tensor "
            f"(3, height, width), or a list of these, got {type(image).__name__}{fix}"
        )
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ValueError(
            "expected image to be an array (height, width, 3) or a tensor (3, height, width), "
            f"got {tuple(tensor.shape)} (channels first)"
        )
    if tensor.dtype == torch.uint8:
        return to_picture(tensor / 255)
    if not tensor.is_floating_point() or not (tensor.min() >= 0 and tensor.max() <= 1):
        got = str(tensor.dtype)
        if tensor.is_floating_point():
            got += f" in [{tensor.min():g}, {tensor.max():g}]"
        raise ValueError(
            f"expected image to be uint8, or floating point in [0, 1], got {got}; divide it by its "
            "maximum"
        )
    return to_picture(tensor)


def _is_bytes(image: object) -> bool:
    return isinstance(image, (bytes, bytearray, memoryview))
