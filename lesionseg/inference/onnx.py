"""Run exported networks with ONNX Runtime, without torch."""

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
from lesionseg.inference.regions import PostProcessing, post_process
from lesionseg.inference.segmentation import Segmentation
from lesionseg.inference.tta import TestTimeAugmentation, average_views, views_of

# ONNX Runtime changes how the thread that creates the first session treats denormal numbers, for
# good. A thread of its own keeps the caller's thread as it is.
_RUNNER = ThreadPoolExecutor(1, "onnxruntime")


class ExportedPredictor:
    """Predictor of an ``.onnx`` file.

    Images are resized with Pillow's antialiased bilinear filter, which equals torch's.

    Args:
        path: File that ``lesionseg export --format onnx`` wrote.
        threads: Number of threads; None takes ONNX Runtime's default, one per core.
        test_time_augmentation: Views of each image whose probabilities are averaged; see
            :func:`~lesionseg.inference.average_views`.
        postprocess: Post-processing of the mask, see :class:`Predictor`; None takes the file's.

    Attributes:
        metadata: Metadata of the file.

    Raises:
        LesionsegError: If onnxruntime is not installed, or ``"flips_and_rotations"`` is given for a
            file of fixed, non-square size.
        CheckpointError: If the file is missing, broken, or not one of ``lesionseg export``.

    Example:
        A file of one operator stands for those that ``lesionseg export`` writes.

        >>> import tempfile
        >>> from pathlib import Path
        >>> from onnx import parser
        >>> from PIL import Image
        >>> from lesionseg.export.to_onnx import save_onnx
        >>> from lesionseg.inference import ExportedPredictor, ExportMetadata
        >>> network = parser.parse_model('''
        ...     <ir_version: 8, opset_import: ["": 17]>
        ...     brightest (float[1, 3, 8, 8] image) => (float[1, 1, 8, 8] probability)
        ...     { probability = ReduceMax <axes = [1]> (image) }
        ... ''')
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "network.onnx")
        ...     save_onnx(network, ExportMetadata(size=(8, 8), threshold=0.5), path)
        ...     predictor = ExportedPredictor(path)
        >>> predictor(Image.new("RGB", (60, 40), "red")).mask.all()
        np.True_
    """

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        test_time_augmentation: TestTimeAugmentation = "none",
        postprocess: PostProcessing | None = None,
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
        # Attention weights of distant pixels become denormal numbers, at which processors are slow.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        providers = ["CPUExecutionProvider"]
        try:
            self._session = _RUNNER.submit(
                onnxruntime.InferenceSession, path, options, providers=providers
            ).result()
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise CheckpointError(
                f"{path} cannot be read as an ONNX file ({type(error).__name__}); it may be cut "
                "off or of another type: export the checkpoint again."
            ) from error
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.metadata = ExportMetadata.from_properties(properties)
            _check_interface(self._session, self.metadata)
        except ValueError as error:
            raise CheckpointError(
                f"{path} is an ONNX file, but not one of lesionseg export ({error}); export the "
                "checkpoint with lesionseg export."
            ) from error
        height, width = self._session.get_inputs()[0].shape[2:]  # names if they are dynamic
        turned = any(view.transposed for view in views_of(test_time_augmentation))
        if turned and height != width and isinstance(height, int):
            raise LesionsegError(
                f"{path} takes images of {height} x {width} only, not rotated by 90 degrees; use "
                "the test-time augmentation flips, or export with --dynamic."
            )
        self.test_time_augmentation = test_time_augmentation
        self.postprocess = self.metadata.postprocess if postprocess is None else postprocess

    def __call__(self, image: Image.Image) -> Segmentation:
        """Segment an image of any size and mode; its EXIF orientation is ignored."""
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
        mask = post_process(probability > self.metadata.threshold, self.postprocess)
        return Segmentation(mask, probability)

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the probabilities of a batch of images.

        Args:
            images: (N, 3, H, W), of the file's input type and size.

        Returns:
            float32 (N, 1, H, W) in [0, 1].

        Raises:
            CheckpointError: If the network cannot be run, or its output has another shape.
        """
        fed = {"image": np.ascontiguousarray(images)}
        try:
            (probability,) = _RUNNER.submit(self._session.run, None, fed).result()
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise CheckpointError(
                f"the network in {self._path} cannot be run ({str(error).splitlines()[0][:200]}); "
                "export the checkpoint again."
            ) from error
        expected = (images.shape[0], 1, *images.shape[2:])
        if probability.shape != expected:
            raise CheckpointError(
                f"expected the output of {self._path} to have the shape {expected}, "
                f"got {probability.shape}; export the checkpoint again."
            )
        result: npt.NDArray[np.float32] = probability
        return result


def _check_interface(session: Any, metadata: ExportMetadata) -> None:
    """Check that a network's inputs and outputs are those of its metadata.

    Raises:
        ValueError: If they are not.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    names = [value.name for value in inputs]
    if names != ["image"] or len(outputs) != 1:
        raise ValueError(f"expected the input image and one output, got {names} and {len(outputs)}")
    kind = "tensor(float)" if metadata.input == "float" else "tensor(uint8)"
    if inputs[0].type != kind or outputs[0].type != "tensor(float)":
        raise ValueError(
            f"expected the types {kind} and tensor(float), got {inputs[0].type} and "
            f"{outputs[0].type}"
        )
    wanted = (1, 3, *metadata.size)
    shape = inputs[0].shape  # names, or None, if it is dynamic
    if len(shape) != 4 or any(
        isinstance(given, int) and given != side for given, side in zip(shape, wanted, strict=True)
    ):
        raise ValueError(f"expected images of shape {wanted}, got {shape}")
