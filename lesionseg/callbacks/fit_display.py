"""What a fit shows: progress bar, model summary, closing lines, and its progress in a file.

Lightning's progress bar shows the last four letters of a version's name as ``v_num``, and its model
summary a column of zero FLOPs for models without ``example_input_array``.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelSummary, ProgressBar, TQDMProgressBar
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.model_summary.model_summary import get_human_readable_count

from lesionseg.callbacks.best_checkpoint import BestCheckpoint
from lesionseg.callbacks.resume import CONFIG
from lesionseg.checkpoints import read_checkpoint
from lesionseg.files import atomic_path
from lesionseg.run_folder import run_folder


class FitProgressBar(TQDMProgressBar):
    """Lightning's progress bar without ``v_num``.

    For ``version="quickstart"`` Lightning shows ``v_num=tart``.
    """

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Return the metrics shown after the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics


class FitModelSummary(ModelSummary):
    """Lightning's summary without a column of zero floating-point operations.

    Lightning counts them in a forward pass of the model's ``example_input_array``, and shows zeros
    for a model without it. ``lesionseg models`` lists the operations of every network.
    """

    @staticmethod
    def summarize(
        summary_data: list[tuple[str, list[str]]],
        total_parameters: int,
        trainable_parameters: int,
        model_size: float,
        total_training_modes: dict[str, int],
        total_flops: int = 0,
        **summarize_kwargs: Any,
    ) -> None:
        """Print the table; see :class:`lightning.pytorch.callbacks.ModelSummary`."""
        if total_flops:
            ModelSummary.summarize(
                summary_data,
                total_parameters,
                trainable_parameters,
                model_size,
                total_training_modes,
                total_flops,
                **summarize_kwargs,
            )
            return
        columns = [[name, *values] for name, values in summary_data if name != "FLOPs"]
        widths = [max(map(len, column)) for column in columns]
        rows = [
            " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            for row in zip(*columns, strict=True)
        ]
        rule = "-" * len(rows[0])
        frozen = total_parameters - trainable_parameters
        counts = (("trainable", trainable_parameters), ("frozen", frozen))
        totals = [f"{get_human_readable_count(n):<10}{name} parameters" for name, n in counts]
        rank_zero_info("\n".join(["", rows[0], rule, *rows[1:], rule, *totals]))


def display_callbacks(trainer: Any, callbacks: list[Callback]) -> list[Callback]:
    """Return the progress bar and the model summary that a Trainer lacks.

    Args:
        trainer: Arguments of the Trainer.
        callbacks: Callbacks of the Trainer; a bar or a summary among them stays the only one.
    """
    if trainer.fast_dev_run or getattr(trainer, "barebones", False):
        return []
    added: list[Callback] = []
    for enabled, kind, ours in (
        (trainer.enable_progress_bar, ProgressBar, FitProgressBar),
        (trainer.enable_model_summary, ModelSummary, FitModelSummary),
    ):
        if enabled is not False and not any(isinstance(callback, kind) for callback in callbacks):
            added.append(ours())
    return added


def closing_lines(trainer: Trainer) -> list[str]:
    """Return the last lines of a fit: its folder, its best epoch and the next command.

    Args:
        trainer: Trainer after its fit; all of its processes must call this.
    """
    folder = run_folder(trainer)
    if folder is None:
        return []
    lines = [f"Run:      {folder}"]
    checkpoints = [folder / "checkpoints" / "last.ckpt"]
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, BestCheckpoint) and Path(callback.best_model_path).is_file():
            checkpoints.insert(0, Path(callback.best_model_path))
            score = callback.best_model_score
            epoch = read_checkpoint(checkpoints[0])["epoch"]
            lines.append(
                f"Best:     epoch {epoch} of 0 to {trainer.current_epoch - 1}"
                + (f", {callback.monitor} {float(score):.4f}" if score is not None else "")
            )
    if checkpoints[0].is_file() and (folder / CONFIG).is_file():
        command = ("test", "--config", folder / CONFIG, "--ckpt_path", checkpoints[0])
        lines.append(f"Next:     lesionseg {shlex.join(map(str, command))}")
    return lines


class ProgressFile(Callback):
    r"""Write the finished fraction of a fit, a number from 0 to 1, to a text file.

    Args:
        path: Path of the file.
        seconds: Minimum time between two updates.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> from lesionseg.callbacks.fit_display import ProgressFile
        >>> trainer = SimpleNamespace(is_global_zero=True, current_epoch=1, num_training_batches=4,
        ...                           max_epochs=2, max_steps=-1, global_step=5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "progress.txt")
        ...     ProgressFile(str(path)).on_train_batch_end(trainer, None, None, None, batch_idx=1)
        ...     path.read_text()
        '0.7500\n'
    """

    def __init__(self, path: str, seconds: float = 1.0) -> None:
        self.path = path
        self.seconds = seconds
        self._written = float("-inf")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the file, unless it was written less than ``seconds`` ago."""
        now = time.monotonic()
        if not trainer.is_global_zero or now - self._written < self.seconds:
            return
        self._written = now
        epochs = trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches
        fractions = [epochs / limit for limit in [trainer.max_epochs or -1] if limit > 0]
        fractions += [trainer.global_step / limit for limit in [trainer.max_steps] if limit > 0]
        with atomic_path(self.path) as unfinished:
            unfinished.write_text(f"{min(1.0, max(fractions, default=0.0)):.4f}\n")
