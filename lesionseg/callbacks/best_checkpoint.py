"""The checkpoint of the best epoch, also of a fit that is resumed in another folder.

Lightning's ModelCheckpoint forgets its best score when its folder has another name than before, so
that the first epoch after resuming would be the best.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lesionseg.files import atomic_path


class BestCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint that keeps the best epoch when a fit is resumed in another folder.

    If the folder was moved, is spelled differently or is new, the best checkpoints are copied from
    the folder of the checkpoint that is resumed. Arguments are those of
    :class:`lightning.pytorch.callbacks.ModelCheckpoint`.

    Example:
        >>> from lesionseg.callbacks.best_checkpoint import BestCheckpoint
        >>> best = BestCheckpoint(monitor="val/jaccard", mode="max", filename="best")
        >>> best.monitor, best.save_top_k
        ('val/jaccard', 1)
    """

    _trainer: Trainer | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the Trainer, which will know the checkpoint that is resumed."""
        super().setup(trainer, pl_module, stage)
        self._trainer = trainer

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best scores and their files."""
        trainer = self._trainer
        if trainer is not None and trainer.ckpt_path and state_dict["dirpath"] != self.dirpath:
            source = Path(trainer.ckpt_path).parent
            state_dict = self._moved_here(state_dict, source, trainer.is_global_zero)
        super().load_state_dict(state_dict)

    def _moved_here(self, state: dict[str, Any], source: Path, copy: bool) -> dict[str, Any]:
        """Return the state with paths in this callback's folder; copy the files in one process."""
        assert self.dirpath is not None
        home = Path(self.dirpath)
        scores = state["best_k_models"]
        paths = {path for path in (state["best_model_path"], *scores) if path}
        if not paths or not all((source / Path(path).name).is_file() for path in paths):
            return state  # Lightning warns that it has no best score
        here = {path: str(home / Path(path).name) for path in paths}
        if copy and source.resolve() != home.resolve():
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
