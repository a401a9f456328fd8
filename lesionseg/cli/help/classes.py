"""Classes that the Trainer's commands know by name, and the defaults that the commands set."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Classes that ``--model`` accepts by name.
MODELS = {
    "ASNet": "lesionseg.models.asnet.ASNet",
    "GANFCN": "lesionseg.models.gan_fcn.GANFCN",
    "MobileGAN": "lesionseg.models.mobilegan.MobileGAN",
    "SegAN": "lesionseg.models.segan.SegAN",
    "Segmenter": "lesionseg.models.segmenter.Segmenter",
}
#: Classes that ``--data`` accepts by name.
DATA_MODULES = {
    "FolderDataModule": "lesionseg.data.datamodules.folder.FolderDataModule",
    "ISICDataModule": "lesionseg.data.datamodules.isic.ISICDataModule",
    "PH2DataModule": "lesionseg.data.datamodules.ph2.PH2DataModule",
    "SyntheticDataModule": "lesionseg.data.datamodules.synthetic.SyntheticDataModule",
}
TRAINER = "lightning.pytorch.trainer.trainer.Trainer"
#: Callbacks with options: for each command the name of the group and the class.
CALLBACKS = {
    "fit": {
        "checkpoint": "lesionseg.callbacks.best_checkpoint.BestCheckpoint",
        "overlays": "lesionseg.callbacks.overlay_logger.OverlayLogger",
    },
    "validate": {},
    "test": {"report": "lesionseg.callbacks.score_report.ScoreReport"},
    "predict": {"output": "lesionseg.callbacks.prediction_writer.MaskWriter"},
}
#: Defaults of all commands where they differ from the classes'.
TRAINER_DEFAULTS: dict[str, Any] = {
    "trainer.max_epochs": 80,
    "trainer.default_root_dir": "runs",
    "trainer.plugins": {"class_path": "lesionseg.callbacks.checkpoint_io.AtomicCheckpointIO"},
    "trainer.logger": {
        "class_path": "lesionseg.callbacks.csv_logger.RunLogger",
        "init_args": {"save_dir": "runs", "name": ""},
    },
}
#: Defaults of single commands.
COMMAND_DEFAULTS: dict[str, dict[str, Any]] = {
    "fit": {
        "checkpoint.monitor": "val/jaccard",
        "checkpoint.mode": "max",
        "checkpoint.filename": "best",
        "checkpoint.enable_version_counter": False,
        "checkpoint.save_weights_only": True,  # last.ckpt holds the rest
    },
    "validate": {},
    "test": {"verbose": False},  # the report prints a better table
    "predict": {"return_predictions": False},
}


def load_class(path: str) -> Any:
    """Import a class.

    Args:
        path: Dotted path of the class.
    """
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
