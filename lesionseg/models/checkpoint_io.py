"""Checkpoints that are whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from lesionseg.files import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint writer, through a temporary file beside the final one.

    A full disk or a killed process leaves the earlier checkpoint as it was. The command line uses
    it; in Python pass it as ``Trainer(plugins=[AtomicCheckpointIO()])``.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Writes a checkpoint; see :class:`lightning.fabric.plugins.io.CheckpointIO`."""
        if "://" in str(path):  # another file system has its own way
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        with atomic_path(path) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)
