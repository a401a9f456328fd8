"""How the Trainer writes and reads checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from lesionseg.checkpoints import Location, check_weights_only, read_checkpoint
from lesionseg.files import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints through a temporary file, and read them without running code.

    A full disk or a killed process leaves the earlier checkpoint as it was. Lightning's own reader
    unpickles a checkpoint that a URL names; this one refuses URLs, and reads weights and plain
    values only. The command line uses it; in Python pass it as
    ``Trainer(plugins=[AtomicCheckpointIO()])``.
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

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Location = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint with :func:`lesionseg.checkpoints.read_checkpoint`.

        Args:
            path: Of a local file.
            map_location: See :func:`torch.load`.
            weights_only: None or True.

        Raises:
            CheckpointError: If the file cannot be read or is not a checkpoint.
            ValueError: If ``weights_only`` is False.
        """
        check_weights_only(weights_only)
        return read_checkpoint(path, map_location)
