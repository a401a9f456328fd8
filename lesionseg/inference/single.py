"""The short way from a photograph to a mask, for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lesionseg.data.pixel_modes import to_rgb
from lesionseg.data.reading import read_image
from lesionseg.inference.loading import load_predictor
from lesionseg.inference.predictor import Predictor
from lesionseg.inference.segmentation import ImagePredictor, Segmentation
from lesionseg.overlay import to_picture

if TYPE_CHECKING:
    from lesionseg.models import SegmentationModule


def segment(
    image: str | Path | Image.Image | np.ndarray[Any, Any] | Tensor,
    model: str | Path | ImagePredictor | SegmentationModule,
) -> Segmentation:
    """Segments one image.

    Args:
        image: A path, a PIL image, an array (height, width, 3) that is uint8 or floating point in
            [0, 1], or a tensor (3, height, width) of either kind. A file is turned as its EXIF
            orientation says; a PIL image is taken as it lies in memory, at its own ``size``.
        model: The path of a checkpoint or of an exported ``.onnx`` file (read anew at each call;
            keep a :func:`~lesionseg.inference.load_predictor` for many images), a predictor, or a
            model.

    Returns:
        Mask and probability at the image's size, that of a file as a viewer shows it. A model is
        put back into its mode afterwards.

    Raises:
        InvalidDataError: The image cannot be read.
        CheckpointError: The checkpoint cannot be used.
        ValueError: The array or tensor is not an image.
    """
    picture = _to_image(image)
    if isinstance(model, (str, Path)):
        return load_predictor(model)(picture)
    if not isinstance(model, torch.nn.Module):  # no LightningModule, whose class is slow to import
        return model(picture)
    model = cast("SegmentationModule", model)
    training = model.network.training
    try:
        predictor = Predictor(
            model.network.eval(),
            model.size,
            model.threshold,
            model.device,
            model.test_time_augmentation,
        )
        return predictor(picture)
    finally:
        model.network.train(training)


def _to_image(image: str | Path | Image.Image | np.ndarray[Any, Any] | Tensor) -> Image.Image:
    if isinstance(image, (str, Path)):
        return read_image(image)
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if not isinstance(image, Tensor):
        image = torch.from_numpy(np.array(image)).movedim(-1, 0)
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(
            "an image is an array (height, width, 3) or a tensor (3, height, width); "
            f"got {tuple(image.shape)} (channels first)"
        )
    if image.dtype == torch.uint8:
        return to_picture(image / 255)
    if not image.is_floating_point() or image.min() < 0 or image.max() > 1:
        raise ValueError("an image is uint8, or floating point in [0, 1]; divide it by its maximum")
    return to_picture(image)
