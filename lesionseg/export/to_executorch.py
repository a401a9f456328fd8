"""Export to ExecuTorch for phones, lowered to XNNPACK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lesionseg.errors import LesionsegError
from lesionseg.inference.metadata import ExportMetadata

if TYPE_CHECKING:
    from lesionseg.export.deployable import Deployable

#: Method of the program that returns the metadata as JSON text.
METADATA_METHOD = "lesionseg"


def to_executorch(
    model: Deployable,
    example: Tensor,
    metadata: ExportMetadata,
    calibration: Iterable[Tensor] | None = None,
) -> bytes:
    """Lower a network to an ExecuTorch program with fixed sizes.

    Args:
        model: Network to lower.
        example: Image batch of the input's type and size.
        metadata: Metadata that the method :data:`METADATA_METHOD` returns.
        calibration: Image batches for the calibration of int8; None keeps float32.

    Returns:
        Content of a ``.pte`` file.

    Raises:
        LesionsegError: If executorch is not installed.
    """
    try:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower
    except ImportError as error:
        raise LesionsegError(_NEEDED) from error
    module: Any = torch.export.export(model, (example,)).module()
    if calibration is not None:
        module = _quantize(module, calibration)
    edge = to_edge_transform_and_lower(
        torch.export.export(module, (example,)),
        partitioner=[XnnpackPartitioner()],
        constant_methods={METADATA_METHOD: json.dumps(asdict(metadata))},
    )
    content: bytes = edge.to_executorch().buffer
    return content


def load_executorch(path: Path) -> Callable[[Tensor], Tensor]:
    """Load a ``.pte`` file in ExecuTorch's Python runtime and return its ``forward``."""
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("forward")
    return lambda image: method.execute([image])[0]


_NEEDED = "ExecuTorch export needs executorch; install it with pip install 'lesionseg[executorch]'."


def _quantize(module: Any, calibration: Iterable[Tensor]) -> Any:
    """Quantize the operators that XNNPACK has in int8, statically and per channel.

    The ranges of activations are their minima and maxima, as for ONNX. Searching them in
    histograms, XNNPACK's default, takes minutes.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e import MinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    config = get_symmetric_quantization_config(is_per_channel=True)
    observer = MinMaxObserver.with_args(eps=2**-12)  # XNNPACK's smallest scale
    ranges = {
        name: replace(getattr(config, name), observer_or_fake_quant_ctr=observer)
        for name in ("input_activation", "output_activation")
    }
    prepared = prepare_pt2e(module, XNNPACKQuantizer().set_global(replace(config, **ranges)))
    with torch.inference_mode():
        for batch in calibration:
            prepared(batch)
    return convert_pt2e(prepared)
