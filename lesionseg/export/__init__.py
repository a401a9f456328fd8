"""Networks for other runtimes: ONNX, torch.export and ExecuTorch."""

from typing import TYPE_CHECKING

from lesionseg.lazy import lazy_names

if TYPE_CHECKING:
    from lesionseg.export.deployable import Deployable
    from lesionseg.export.exporting import Export, ExportOptions, export_checkpoint

_MODULES = {
    "Deployable": "deployable",
    "Export": "exporting",
    "ExportOptions": "exporting",
    "export_checkpoint": "exporting",
}

__all__ = ["Deployable", "Export", "ExportOptions", "export_checkpoint"]

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
