"""The checkpoint of the best epoch, also where a fit goes on elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lesionseg.files import atomic_path


class BestCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint that still knows the best epoch where its folder has another name.

    A fit that goes on in a folder that was moved, is spelled differently, or is a new one takes the
    best checkpoints along from beside the checkpoint that it goes on from. To Lightning's own class
    the first epoch there would be the best. Arguments are those of
    :class:`lightning.pytorch.callbacks.ModelCheckpoint`.
    """

    _trainer: Trainer | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keeps the Trainer, which will know what the fit goes on from."""
        super().setup(trainer, pl_module, stage)
        self._trainer = trainer

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the scores so far, and the files that they belong to."""
        trainer = self._trainer
        if trainer is not None and trainer.ckpt_path and state_dict["dirpath"] != self.dirpath:
            source = Path(trainer.ckpt_path).parent
            state_dict = self._brought_along(state_dict, source, trainer.is_global_zero)
        super().load_state_dict(state_dict)

    def _brought_along(self, state: dict[str, Any], source: Path, copies: bool) -> dict[str, Any]:
        assert self.dirpath is not None
        home = Path(self.dirpath)
        scores = state["best_k_models"]
        paths = {path for path in (state["best_model_path"], *scores) if path}
        if not paths or not all((source / Path(path).name).is_file() for path in paths):
            return state  # Lightning says that it knows no best score
        here = {path: str(home / Path(path).name) for path in paths}
        if copies and source.resolve() != home.resolve():
            for path in here.values():
                with atomic_path(path) as unfinished:
                    shutil.copyfile(source / Path(path).name, unfinished)
        return state | {
            "dirpath": self.dirpath,
            "best_model_path": here.get(state["best_model_path"], ""),
            "kth_best_model_path": here.get(state["kth_best_model_path"], ""),
            "best_k_models": {here[path]: score for path, score in scores.items()},
            "last_model_path": "",
        }
