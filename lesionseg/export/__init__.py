"""Networks for other runtimes: ONNX, torch.export and ExecuTorch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
