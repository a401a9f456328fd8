"""A network as a program of torch.export."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lesionseg.inference.metadata import ExportMetadata

if TYPE_CHECKING:
    from lesionseg.export.deployable import Deployable

#: Name of the extra file that holds the metadata; see ``torch.export.load(..., extra_files)``.
METADATA_FILE = "lesionseg.json"


def to_program(
    model: Deployable, example: Tensor, shapes: dict[int, Any] | None
) -> torch.export.ExportedProgram:
    """Trace a network; arguments as for :func:`lesionseg.export.to_onnx.to_onnx`."""
    dynamic = None if shapes is None else {"image": shapes}
    program = torch.export.export(model, (example,), dynamic_shapes=dynamic)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names this machine's folders
    return program


def save_program(
    program: torch.export.ExportedProgram, metadata: ExportMetadata, path: Path
) -> None:
    """Write a program with its metadata in :data:`METADATA_FILE`."""
    text = json.dumps(asdict(metadata), indent=2)
    torch.export.save(program, path, extra_files={METADATA_FILE: text})
