"""torchmetrics' ``Metric`` without the rest of torchmetrics.

Importing torchmetrics imports all its metrics, and with them torchvision, scipy and torch's
compiler, which would take two thirds of the time of ``from lesionseg.metrics import ISICScore``.
"""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

_NAME = "torchmetrics"
_LOCK = RLock()


class _DeferredPackage(ModuleType):
    """A package whose ``__init__`` runs when a name of its own is first used.

    Its submodules can be imported before that. :class:`importlib.util.LazyLoader` would run the
    ``__init__`` for them, because importing them reads the package's ``__path__``.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        with _LOCK:
            if type(self) is _DeferredPackage:
                self.__class__ = ModuleType  # type: ignore[assignment]  # as LazyLoader does
                assert self.__spec__ is not None
                assert self.__spec__.loader is not None
                self.__spec__.loader.exec_module(self)
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        self.__getattr__("__all__")
        return dir(self)


def _defer() -> None:
    """Register torchmetrics without running its ``__init__``, unless it is imported already."""
    spec = None if _NAME in sys.modules else find_spec(_NAME)
    if spec is not None:
        package = module_from_spec(spec)
        package.__class__ = _DeferredPackage
        vars(package)["_logger"] = logging.getLogger(_NAME)  # its submodules import it from there
        sys.modules[_NAME] = package


_defer()
try:
    # In another order they would import each other in a circle.
    from torchmetrics.utilities import dim_zero_cat  # noqa: I001
    from torchmetrics.metric import Metric
except ImportError:  # a version whose parts need the whole
    for _module in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
        del sys.modules[_module]
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat

__all__ = ["Metric", "dim_zero_cat"]
