"""Export to a program of torch.export."""

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

#: Extra file with the metadata; see ``torch.export.load(..., extra_files)``.
METADATA_FILE = "lesionseg.json"


def to_program(
    model: Deployable, example: Tensor, shapes: dict[int, Any] | None
) -> torch.export.ExportedProgram:
    """Export a network as a program.

    Args:
        model: Network to export.
        example: Image batch of the input's type and size.
        shapes: ``torch.export.Dim`` of each dynamic dimension of the input; None fixes all.

    Example:
        >>> import torch
        >>> from lesionseg.export import Deployable
        >>> from lesionseg.export.to_torch import to_program
        >>> images = torch.rand(1, 3, 8, 8)
        >>> program = to_program(Deployable(torch.nn.Conv2d(3, 1, 1)), images, None)
        >>> program.module()(images).shape
        torch.Size([1, 1, 8, 8])
    """
    dynamic = None if shapes is None else {"image": shapes}
    program = torch.export.export(model, (example,), dynamic_shapes=dynamic)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def save_program(
    program: torch.export.ExportedProgram, metadata: ExportMetadata, path: Path
) -> None:
    """Write a program with its metadata as :data:`METADATA_FILE`."""
    text = json.dumps(asdict(metadata), indent=2)
    torch.export.save(program, path, extra_files={METADATA_FILE: text})
