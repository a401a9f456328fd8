"""The short way from a photograph to a mask, for notebooks."""

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
from lesionseg.inference.predictor import Predictor
from lesionseg.inference.segmentation import ImagePredictor, Segmentation
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.pretrained import DEFAULT
from lesionseg.visualization import to_picture

if TYPE_CHECKING:
    from lesionseg.models import SegmentationModule


ImageLike: TypeAlias = "str | Path | Image.Image | npt.NDArray[Any] | Tensor"
ModelLike: TypeAlias = "str | Path | ImagePredictor | SegmentationModule | torch.nn.Module"


@overload
def segment(image: ImageLike, model: ModelLike = DEFAULT) -> Segmentation: ...
@overload
def segment(
    image: list[ImageLike] | tuple[ImageLike, ...], model: ModelLike = DEFAULT
) -> list[Segmentation]: ...
def segment(
    image: ImageLike | list[ImageLike] | tuple[ImageLike, ...], model: ModelLike = DEFAULT
) -> Segmentation | list[Segmentation]:
    """Segment one image, or several.

    Args:
        image: A path, a PIL image, an array (height, width, 3) that is uint8 or floating point in
            [0, 1], or a tensor (3, height, width) of either kind; or a list or tuple of these. A
            file is turned as its EXIF orientation says; a PIL image is taken as it lies in memory,
            at its own ``size``.
        model: A name of :func:`lesionseg.list_pretrained`, the path of a checkpoint, of a folder
            that ``save_pretrained`` wrote or of an exported ``.onnx`` file (read anew at each call;
            keep a :func:`~lesionseg.inference.load_predictor` for many images), a predictor, a
            model, or a plain network that gives logits (N, 1, H, W) of images (N, 3, H, W) in
            [0, 1], such as :func:`~lesionseg.networks.create_network` makes. A plain network is fed
            at its ``default_size``, or at 192 x 256 if it has none, with the threshold 0.5; for
            another size make a :class:`~lesionseg.inference.Predictor`.

    Returns:
        Mask and probability at the image's size, that of a file as a viewer shows it; a list of
        them for a list. A model is put back into its mode afterwards.

    Raises:
        InvalidDataError: If an image cannot be read.
        CheckpointError: If the checkpoint cannot be used.
        TypeError: If the image or the model is of another type.
        ValueError: If an array or tensor is not an image.
    """
    if isinstance(model, (str, Path)):
        if not isinstance(image, (list, tuple)):
            image = _to_image(image)  # what is wrong with it is said before the file is read
        model = load_predictor(model)
    if isinstance(image, (list, tuple)):
        return [_segment(_to_image(one), model) for one in image]
    return _segment(_to_image(image), model)


def _segment(
    picture: Image.Image, model: ImagePredictor | SegmentationModule | torch.nn.Module
) -> Segmentation:
    if not isinstance(model, torch.nn.Module):
        if not callable(model):
            raise TypeError(
                "expected a model, a network, a predictor, the name of a pretrained model, or the "
                f"path of a checkpoint or .onnx file, got {type(model).__name__}"
            )
        return model(picture)
    # By its attributes: the class of LightningModules is slow to import.
    network = getattr(model, "network", None)
    if isinstance(network, torch.nn.Module) and hasattr(model, "threshold"):
        known = cast("SegmentationModule", model)
        device, augmentation = known.device, known.test_time_augmentation
        size, threshold = known.size, known.threshold
    else:
        network = model
        device = next((one.device for one in network.parameters()), torch.device("cpu"))
        size, threshold = (
            getattr(network, "default_size", ASNET_DEFAULTS.size),
            PROBABILITY_THRESHOLD,
        )
        augmentation = "none"
    modes = {one: one.training for one in network.modules()}
    try:
        return Predictor(network.eval(), size, threshold, device, augmentation)(picture)
    finally:
        for one, training in modes.items():
            one.training = training


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
        mend = "; open them with PIL.Image.open(io.BytesIO(...))" if _is_bytes(image) else ""
        raise TypeError(
            "expected an image as a path, a PIL image, an array (height, width, 3) or a tensor "
            f"(3, height, width), or a list of these, got {type(image).__name__}{mend}"
        )
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ValueError(
            "an image is an array (height, width, 3) or a tensor (3, height, width); "
            f"got {tuple(tensor.shape)} (channels first)"
        )
    if tensor.dtype == torch.uint8:
        return to_picture(tensor / 255)
    if not tensor.is_floating_point() or not (tensor.min() >= 0 and tensor.max() <= 1):
        raise ValueError("an image is uint8, or floating point in [0, 1]; divide it by its maximum")
    return to_picture(tensor)


def _is_bytes(image: object) -> bool:
    return isinstance(image, (bytes, bytearray, memoryview))
