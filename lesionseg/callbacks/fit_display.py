"""What a fit shows in the terminal: its progress bar, the model's summary and the closing lines."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelSummary, ProgressBar, TQDMProgressBar
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.model_summary.model_summary import get_human_readable_count

from lesionseg.callbacks.best_checkpoint import BestCheckpoint
from lesionseg.callbacks.resume import CONFIG
from lesionseg.checkpoints import read_checkpoint
from lesionseg.run_folder import run_folder


class FitProgressBar(TQDMProgressBar):
    """Lightning's bar without ``v_num``, the last four letters of the name of a version.

    Of ``version="quickstart"`` Lightning shows ``v_num=tart``.
    """

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Return what stands behind the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics


class FitModelSummary(ModelSummary):
    """Lightning's summary without floating-point operations, unless the model can count them.

    Lightning counts them in a forward pass of the model's ``example_input_array``. For a model
    without one it shows a column of zeros; ``lesionseg models`` tells them for every network.
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
    """Return the bar and the summary that a Trainer lacks.

    Args:
        trainer: The Trainer's arguments.
        callbacks: Its callbacks; where one of them is a bar or a summary, it stays the only one.
    """
    if trainer.fast_dev_run or getattr(trainer, "barebones", False):
        return []
    added: list[Callback] = []
    for enabled, kind, ours in (
        (trainer.enable_progress_bar, ProgressBar, FitProgressBar),
        (trainer.enable_model_summary, ModelSummary, FitModelSummary),
    ):
        if enabled is not False and not any(isinstance(one, kind) for one in callbacks):
            added.append(ours())
    return added


def closing_lines(trainer: Trainer) -> list[str]:
    """Return what a fit that has ended should say: its folder, best epoch and the next command.

    Args:
        trainer: After its fit; all of its processes must call this.
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
