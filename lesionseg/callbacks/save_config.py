"""Save the configuration of a fit in its folder.

Lightning's SaveConfigCallback writes to the folder of all runs if the logger has none for each run,
writes before anything has checked the fit, and refuses to replace the file of a resumed fit.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback

from lesionseg.callbacks.resume import CONFIG, refuse_replacing
from lesionseg.errors import LesionsegError
from lesionseg.files import atomic_path
from lesionseg.run_folder import choose_run_folder, chosen_run_folder

#: What a fit may write in its folder before its first step, such as copied checkpoints.
_WRITTEN_BY_FIT = (
    *(CONFIG, "splits", "overlays", "metrics.csv", "hparams.yaml", ".lock"),
    "checkpoints",
)


class SaveConfig(SaveConfigCallback):
    """Choose the folder of a fit and save the whole configuration in it.

    Used as ``save_config_callback`` of LightningCLI, which passes its arguments.
    """

    new: Sequence[Path] = ()  # paths that only this fit may have written

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, before the checkpoint callbacks, whose setup comes last."""
        if stage != "fit":
            return
        folder = choose_run_folder(trainer)
        if folder is not None:
            refuse_replacing(folder, self.config.get("ckpt_path"))
            existing = {path.name for path in folder.glob("*")}
            self.new = [folder / name for name in _WRITTEN_BY_FIT if name not in existing]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to start a fit that should be resumed.

        Raises:
            LesionsegError: If ``--ckpt_path last`` has found no checkpoint.
        """
        if self.config.get("ckpt_path") == "last" and trainer.ckpt_path is None:
            raise LesionsegError(
                "there is nothing to resume: no last.ckpt was found; leave --ckpt_path last out to "
                "start a fit, or give the path of a checkpoint."
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the configuration, now that fit and images are checked."""
        folder = chosen_run_folder(trainer)
        if folder is not None and trainer.is_global_zero:
            with atomic_path(folder / CONFIG) as unfinished:
                unfinished.write_text(self.text, encoding="utf-8")

    def on_train_batch_end(self, *_: Any) -> None:
        """Keep the folder from the first step on, however the fit ends."""
        self.new = []

    def tidy(self) -> None:
        """Remove what a fit has written that ended before its first step."""
        for path in self.new:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @property
    def text(self) -> str:
        """The configuration as YAML, with all values."""
        names = signature(self.parser.dump).parameters
        skip = "skip_unset" if "skip_unset" in names else "skip_none"  # before jsonargparse 4.49
        text: str = self.parser.dump(self.config, **{skip: False})
        return text
