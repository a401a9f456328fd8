"""Refuse callbacks that monitor a metric which is not logged, before the first epoch.

Lightning reports it after a whole epoch, in a message of several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lesionseg.errors import LesionsegError

#: Lightning's messages about a missing metric, of EarlyStopping, ModelCheckpoint and schedules.
_MISSING = re.compile(
    r"(?P<who>Early stopping|ModelCheckpoint|ReduceLROnPlateau)\b.*?"
    r"(?:conditioned on metric `?|monitor=')(?P<name>[^\s'`]+).*?"
    r"(?:following:|metrics are:|returned metrics:)(?P<known>[^\]]*)",
    re.DOTALL,
)


class MonitorCheck(Callback):
    """After the sanity check, refuse callbacks that monitor a validation metric not logged in it.

    Metrics of training are not known yet, so only names that begin with ``val`` are checked.

    Example:
        >>> from types import SimpleNamespace
        >>> from lightning.pytorch.callbacks import EarlyStopping
        >>> from lesionseg.callbacks.monitor_check import MonitorCheck
        >>> trainer = SimpleNamespace(
        ...     callbacks=[EarlyStopping("val/jacard")],
        ...     lr_scheduler_configs=[],
        ...     callback_metrics={"val/jaccard": 0.7},
        ... )
        >>> MonitorCheck().on_sanity_check_end(trainer, None)
        Traceback (most recent call last):
        ...
        lesionseg.errors.LesionsegError: EarlyStopping monitors the metric 'val/jacard', ...
    """

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare the monitored metrics with those that validation has logged.

        Raises:
            LesionsegError: If a monitored metric is not logged; the message lists those that are.
        """
        logged = list(trainer.callback_metrics)
        for who, name in _monitored(trainer):
            if name.startswith("val") and name not in logged:
                raise LesionsegError(_sentence(who, name, logged))


def _monitored(trainer: Trainer) -> Iterator[tuple[str, str]]:
    """Yield the class and the metric of each callback and schedule that requires one."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        name = getattr(callback, "monitor", None)
        if isinstance(name, str) and getattr(callback, "strict", True):
            yield type(callback).__name__, name
    for config in trainer.lr_scheduler_configs:
        if config.reduce_on_plateau and config.strict and config.monitor:
            yield type(config.scheduler).__name__, config.monitor


def missing_metric(error: BaseException) -> str | None:
    """Return a sentence for Lightning's error about a missing metric; None for other errors.

    Args:
        error: Error that has ended a fit.
    """
    match = _MISSING.search(str(error))
    if match is None:
        return None
    known = re.findall(r"[`']([^`',\s]+)[`']", match["known"])
    return _sentence(match["who"].replace("Early stopping", "EarlyStopping"), match["name"], known)


def _sentence(who: str, name: str, known: Sequence[str]) -> str:
    aliases = {name.replace("/", "_") for name in known if "/" in name}  # of the progress bar
    names = sorted({*known} - aliases - {"epoch", "step"})
    close = get_close_matches(name, names, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return (
        f"{who} monitors the metric {name!r}, which is not logged.{hint} "
        f"Metrics are {', '.join(names) or 'none so far'}."
    )
