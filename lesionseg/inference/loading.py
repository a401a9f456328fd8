"""From a file to what runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.errors import CheckpointError
from lesionseg.inference.segmentation import ImagePredictor
from lesionseg.inference.tta import TestTimeAugmentation

if TYPE_CHECKING:
    import torch


def load_predictor(
    path: str | Path,
    device: str | torch.device = "cpu",
    test_time_augmentation: TestTimeAugmentation = "none",
) -> ImagePredictor:
    """Load a pretrained model, a checkpoint, or a file that ``lesionseg export`` wrote for ONNX.

    A checkpoint's plain network is rebuilt; that needs no Lightning, data or network connection. An
    ``.onnx`` file needs onnxruntime and neither imports torch nor has a device.

    Args:
        path: A name of :func:`lesionseg.list_pretrained`, a folder that ``save_pretrained`` wrote,
            a checkpoint of any model of this package, or an ``.onnx`` file.
        device: Where anything but an ``.onnx`` file runs, such as ``"cuda"``; ``"auto"`` takes a
            GPU where there is one.
        test_time_augmentation: The views of each image whose probabilities are averaged; see
            :func:`~lesionseg.inference.average_views`.

    Raises:
        CheckpointError: The file is absent, broken, or none of these.
        LesionsegError: Quarter turns are asked of an ``.onnx`` file whose images have one size that
            is not square.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".onnx":
        from lesionseg.inference.onnx import ExportedPredictor

        return ExportedPredictor(path, test_time_augmentation=test_time_augmentation)
    if suffix in (".pt2", ".pte"):
        raise CheckpointError(
            f"{path} is an exported program for other runtimes; segment with the checkpoint or "
            "with an .onnx file."
        )
    from lesionseg.inference.predictor import predictor_of_checkpoint

    return predictor_of_checkpoint(path, device, test_time_augmentation)
