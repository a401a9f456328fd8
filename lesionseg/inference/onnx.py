"""Exported networks in ONNX Runtime, without torch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionseg.data.io.pixel_modes import to_rgb
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.inference.metadata import ExportMetadata
from lesionseg.inference.segmentation import Segmentation
from lesionseg.inference.tta import TestTimeAugmentation, average_views, views_of

# ONNX Runtime sets the processor's treatment of denormal numbers in the thread that makes the
# first session and leaves it so: not in the caller's, where other work needs such numbers.
_RUNNER = ThreadPoolExecutor(1, "onnxruntime")


class ExportedPredictor:
    """An ``.onnx`` file that takes whole photographs.

    Resizing is Pillow's instead of torch's and equal to it: the same antialiased bilinear filter.

    Args:
        path: A file that ``lesionseg export --format onnx`` wrote.
        threads: ONNX Runtime's threads; None takes its default, the processor's cores.
        test_time_augmentation: The views of each image whose probabilities are averaged; see
            :func:`~lesionseg.inference.average_views`.

    Attributes:
        metadata: What the file says of itself.

    Raises:
        LesionsegError: onnxruntime is not installed, or quarter turns are asked of a file whose
            images have one size that is not square.
        CheckpointError: The file is absent, broken, or was not written by ``lesionseg export``.
    """

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        test_time_augmentation: TestTimeAugmentation = "none",
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise LesionsegError(
                f"{path} needs onnxruntime; install it with pip install onnxruntime."
            ) from error
        self._path = path
        if not Path(path).is_file():
            raise CheckpointError(f"there is no file {path}; check the path.")
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        # Weights of far keys in trained attention underflow; processors are slow at denormal ones.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        providers = ["CPUExecutionProvider"]
        try:
            self._session = _RUNNER.submit(
                onnxruntime.InferenceSession, path, options, providers=providers
            ).result()
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise CheckpointError(
                f"{path} cannot be read as an ONNX file; it may be cut off or something else "
                f"({type(error).__name__})."
            ) from error
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.metadata = ExportMetadata.from_properties(properties)
            _check_interface(self._session, self.metadata)
        except ValueError as error:
            raise CheckpointError(
                f"{path} is an ONNX file, but not one that lesionseg export wrote ({error})."
            ) from error
        height, width = self._session.get_inputs()[0].shape[2:]  # names where they are free
        turned = any(view.transposed for view in views_of(test_time_augmentation))
        if turned and height != width and isinstance(height, int):
            raise LesionsegError(
                f"{path} takes images of {height} x {width} only, not turned by 90 degrees; "
                "average over flips alone, or export with --dynamic."
            )
        self.test_time_augmentation = test_time_augmentation

    def __call__(self, image: Image.Image) -> Segmentation:
        """Segment one image of any size and mode, as it lies in memory."""
        height, width = self.metadata.size
        small = to_rgb(image).resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(small).transpose(2, 0, 1)[None]
        if self.metadata.input == "float":
            pixels = pixels.astype(np.float32) / np.float32(255)
        probability = average_views(self.run, pixels, self.test_time_augmentation)[0, 0]
        if not np.isfinite(probability).all():
            raise CheckpointError(
                f"the output of the network in {self._path} is not finite; export an earlier "
                "checkpoint."
            )
        if probability.shape != (image.height, image.width):
            restored = Image.fromarray(probability).resize(image.size, Image.Resampling.BILINEAR)
            probability = np.asarray(restored)
        return Segmentation(probability > self.metadata.threshold, probability)

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Probabilities (N, 1, H, W) of images (N, 3, H, W) of the file's input type and size.

        Raises:
            CheckpointError: The network cannot be run, or its output is something else.
        """
        fed = {"image": np.ascontiguousarray(images)}
        try:
            (probability,) = _RUNNER.submit(self._session.run, None, fed).result()
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise CheckpointError(
                f"the network in {self._path} cannot be run ({str(error).splitlines()[0][:200]})."
            ) from error
        expected = (images.shape[0], 1, *images.shape[2:])
        if probability.shape != expected:
            raise CheckpointError(
                f"expected probabilities of shape {expected} from {self._path}, "
                f"got {probability.shape}; export the checkpoint again."
            )
        result: npt.NDArray[np.float32] = probability
        return result


def _check_interface(session: Any, metadata: ExportMetadata) -> None:
    """Check that a network takes and gives what its file says.

    Raises:
        ValueError: If it does not.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [one.name for one in inputs] != ["image"] or len(outputs) != 1:
        raise ValueError("expected one input, image, and one output")
    kind = "tensor(float)" if metadata.input == "float" else "tensor(uint8)"
    if inputs[0].type != kind or outputs[0].type != "tensor(float)":
        raise ValueError(
            f"expected {kind} in and tensor(float) out, got {inputs[0].type} and {outputs[0].type}"
        )
    wanted = (1, 3, *metadata.size)
    shape = inputs[0].shape  # names, or None, where it is free
    if len(shape) != 4 or any(
        isinstance(given, int) and given != side for given, side in zip(shape, wanted, strict=True)
    ):
        raise ValueError(f"expected images of shape {wanted}, got {shape}")
