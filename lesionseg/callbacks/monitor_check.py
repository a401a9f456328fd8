"""Callbacks that watch a metric which nothing logs: refused before the first epoch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lesionseg.errors import LesionsegError

#: What Lightning says of a missing metric, in EarlyStopping, ModelCheckpoint and schedules.
_MISSING = re.compile(
    r"(?P<who>Early stopping|ModelCheckpoint|ReduceLROnPlateau)\b.*?"
    r"(?:conditioned on metric `?|monitor=')(?P<name>[^\s'`]+).*?"
    r"(?:following:|metrics are:|returned metrics:)(?P<known>[^\]]*)",
    re.DOTALL,
)


class MonitorCheck(Callback):
    """After the sanity check, refuses to watch a validation metric that it did not log.

    Lightning would say so after a whole epoch. Metrics of training are not known yet: only names
    that begin with ``val`` are looked at.
    """

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare what is watched with what validation has logged.

        Raises:
            LesionsegError: If a metric is watched that is not logged; the message lists those that
                are.
        """
        logged = list(trainer.callback_metrics)
        for who, name in _watched(trainer):
            if name.startswith("val") and name not in logged:
                raise LesionsegError(_sentence(who, name, logged))


def _watched(trainer: Trainer) -> Iterator[tuple[str, str]]:
    """Yield who insists on which metric."""
    for one in trainer.callbacks:  # type: ignore[attr-defined]
        name = getattr(one, "monitor", None)
        if isinstance(name, str) and getattr(one, "strict", True):
            yield type(one).__name__, name
    for config in trainer.lr_scheduler_configs:
        if config.reduce_on_plateau and config.strict and config.monitor:
            yield type(config.scheduler).__name__, config.monitor


def missing_metric(error: BaseException) -> str | None:
    """Return one sentence for Lightning's complaint of a missing metric; None for other errors.

    Args:
        error: What has ended a fit.
    """
    match = _MISSING.search(str(error))
    if match is None:
        return None
    known = re.findall(r"[`']([^`',\s]+)[`']", match["known"])
    return _sentence(match["who"].replace("Early stopping", "EarlyStopping"), match["name"], known)


def _sentence(who: str, name: str, known: Sequence[str]) -> str:
    spelled = {one.replace("/", "_") for one in known if "/" in one}  # the progress bar's names
    names = sorted({*known} - spelled - {"epoch", "step"})
    close = get_close_matches(name, names, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return (
        f"{who} watches the metric {name!r}, which is not logged.{hint} "
        f"Metrics are {', '.join(names) or 'none so far'}."
    )
