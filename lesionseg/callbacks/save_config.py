"""Save the configuration of a fit in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback

from lesionseg.callbacks.resume import CONFIG, refuse_replacing
from lesionseg.errors import LesionsegError
from lesionseg.files import atomic_path
from lesionseg.run_folder import choose_run_folder, chosen_run_folder

#: What a fit writes in its folder before its first step, such as checkpoints that it resumes from.
_LEFT_BY_A_FIT = (
    *(CONFIG, "splits", "overlays", "metrics.csv", "hparams.yaml", ".lock"),
    "checkpoints",
)


class SaveConfig(SaveConfigCallback):
    """Chooses the folder of a fit and saves the whole configuration in it.

    Lightning's writes to the folder of all runs where the logger has none of its own.
    """

    new: Sequence[Path] = ()  # what this fit alone may have written before its first step

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, before the checkpoint callbacks, whose setup comes last."""
        if stage != "fit":
            return
        folder = choose_run_folder(trainer)
        if folder is not None:
            refuse_replacing(folder, self.config.get("ckpt_path"))
            here = {path.name for path in folder.glob("*")}
            self.new = [folder / name for name in _LEFT_BY_A_FIT if name not in here]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to start from the beginning what was to resume."""
        if self.config.get("ckpt_path") == "last" and trainer.ckpt_path is None:
            raise LesionsegError(
                "there is nothing to resume: no last.ckpt was found; leave --ckpt_path last out to "
                "start a fit, or give the path of a checkpoint."
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the configuration, now that nothing has refused the fit and its images."""
        folder = chosen_run_folder(trainer)
        if folder is not None and trainer.is_global_zero:
            with atomic_path(folder / CONFIG) as unfinished:
                unfinished.write_text(self.text, encoding="utf-8")

    def on_train_batch_end(self, *_: Any) -> None:
        """Keep what is in the folder from here on, however the fit ends."""
        self.new = []

    def tidy(self) -> None:
        """Remove what a fit has written that never trained."""
        for path in self.new:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @property
    def text(self) -> str:
        """What is saved."""
        text: str = self.parser.dump(self.config, skip_none=False)
        return text
