"""Quantize ONNX models to int8."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lesionseg.errors import LesionsegError

if TYPE_CHECKING:
    from onnx import ModelProto

# Without attention, whose softmax weights span many orders of magnitude: int8 was neither accurate
# nor faster there (docs/benchmarks.md).
_QUANTIZED = ["Conv", "Relu", "Add", "Concat", "MaxPool"]
# Convolutions of queries, keys and values stay in float32 too: ONNX Runtime would convert their
# outputs back to float32 for each block.
_FOR_ATTENTION = re.compile(r"\.(query|key|value)\.weight$")


def quantize_onnx(
    proto: ModelProto, images: Iterable[npt.NDArray[Any]], reduce_range: bool = True
) -> ModelProto:
    """Quantize convolutions and the operators between them, statically and per channel.

    Attention and the convolutions that feed it stay in float32.

    Args:
        proto: Model with the input ``image``.
        images: Batches for the calibration of activation ranges.
        reduce_range: Whether weights use only 7 bits. On x86 processors without VNNI, ONNX Runtime
            adds two products in 16 bits, which saturate if weights use 8.

    Returns:
        The model in the QDQ form: int8 weights, uint8 activations, 8-bit x 8-bit convolutions.

    Raises:
        LesionsegError: If onnxruntime is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise LesionsegError(
            "int8 for ONNX needs onnxruntime; install it with pip install 'lesionseg[onnx]'."
        ) from error

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, batches: Iterator[npt.NDArray[Any]]) -> None:
            self._batches = batches

        def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"image": np.ascontiguousarray(batch)}

    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / f"{name}.onnx" for name in "abc")
        onnx.save(proto, source)
        # Its symbolic shape inference fails on Split nodes; onnx's own is sufficient.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        for_attention = [
            node.name
            for node in onnx.load(prepared).graph.node
            if node.op_type == "Conv" and _FOR_ATTENTION.search(node.input[1])
        ]
        quantize_static(
            prepared,
            target,
            Reader(iter(images)),
            op_types_to_quantize=_QUANTIZED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=reduce_range,
            nodes_to_exclude=for_attention,
        )
        return onnx.load(target)
