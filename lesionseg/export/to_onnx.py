"""Export to ONNX."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lesionseg.errors import LesionsegError
from lesionseg.inference.metadata import ExportMetadata

if TYPE_CHECKING:
    from onnx import ModelProto

    from lesionseg.export.deployable import Deployable

#: Operator set that torch's exporter writes without conversion.
OPSET = 18


def to_onnx(model: Deployable, example: Tensor, shapes: dict[int, Any] | None) -> ModelProto:
    """Export a network with the input ``image`` and the output ``probability``.

    Args:
        model: Network to export.
        example: Image batch of the input's type and size.
        shapes: ``torch.export.Dim`` of each dynamic dimension of the input; None fixes all.

    Raises:
        LesionsegError: If onnx or onnxscript is not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise LesionsegError(
            "ONNX export needs onnx and onnxscript; install them with pip install "
            "'lesionseg[onnx]'."
        ) from error
    with warnings.catch_warnings(), _quiet("torch.onnx", "onnxscript"):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["probability"],
            dynamic_shapes=None if shapes is None else {"image": shapes},
            verbose=False,
        )
    assert program is not None
    proto: ModelProto = program.model_proto
    _remove_sources(proto)
    return proto


def save_onnx(proto: ModelProto, metadata: ExportMetadata, path: Path) -> None:
    """Write a model with its metadata."""
    import onnx

    proto.producer_name, proto.producer_version = "lesionseg", metadata.version
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, metadata.to_properties())
    onnx.save(proto, path)


def _remove_sources(proto: ModelProto) -> None:
    """Remove stack traces, which name folders of this machine."""
    graph = proto.graph
    for item in (*graph.node, *graph.value_info, *graph.input, *proto.functions):
        del item.metadata_props[:]
        item.doc_string = ""
    for output in proto.graph.output:
        del output.metadata_props[:]
    for weight in proto.graph.initializer:
        del weight.metadata_props[:]


class _quiet:
    """Context manager that silences loggers below the level of errors."""

    def __init__(self, *names: str) -> None:
        self._loggers = [logging.getLogger(name) for name in names]

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *error: object) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
