"""Load a predictor by the name or the file of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.errors import CheckpointError
from lesionseg.inference.regions import PostProcessing
from lesionseg.inference.segmentation import ImagePredictor
from lesionseg.inference.tta import TestTimeAugmentation

if TYPE_CHECKING:
    import torch


def load_predictor(
    path: str | Path,
    device: str | torch.device = "cpu",
    test_time_augmentation: TestTimeAugmentation = "none",
    postprocess: PostProcessing | None = None,
) -> ImagePredictor:
    """Load a pretrained model, a checkpoint, or an ``.onnx`` file of ``lesionseg export``.

    The plain network of a checkpoint is rebuilt without Lightning, data or a network connection. An
    ``.onnx`` file needs onnxruntime, not torch.

    Args:
        path: A name of :func:`lesionseg.list_pretrained`, a folder that ``save_pretrained`` wrote,
            a checkpoint of any model of this package, or an ``.onnx`` file.
        device: Device of anything but an ``.onnx`` file, such as ``"cuda"``; ``"auto"`` takes a
            GPU if there is one.
        test_time_augmentation: Views of each image whose probabilities are averaged; see
            :func:`~lesionseg.inference.average_views`.
        postprocess: Post-processing of the mask: ``"largest-region"`` keeps the largest region and
            fills its holes; None takes that of an ``.onnx`` file, else ``"none"``.

    Raises:
        CheckpointError: If the file is missing, broken, or none of these.
        LesionsegError: If ``"flips_and_rotations"`` is given for an ``.onnx`` file of fixed,
            non-square size.

    Example:
        >>> from PIL import Image
        >>> from lesionseg.inference import load_predictor
        >>> predictor = load_predictor("mobilegan")
        >>> predictor(Image.new("RGB", (60, 40), "white")).mask.shape
        (40, 60)
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".onnx":
        from lesionseg.inference.onnx import ExportedPredictor

        return ExportedPredictor(
            path, test_time_augmentation=test_time_augmentation, postprocess=postprocess
        )
    if suffix in (".pt2", ".pte"):
        raise CheckpointError(
            f"{path} is an exported program for other runtimes; segment with the checkpoint or "
            "with an .onnx file."
        )
    from lesionseg.inference.predictor import predictor_of_checkpoint

    return predictor_of_checkpoint(path, device, test_time_augmentation, postprocess or "none")
