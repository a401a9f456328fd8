"""Checkpoints that are written whole or not at all, and read without running code.

Lightning's TorchCheckpointIO writes over the earlier checkpoint, which a full disk or a killed
process leaves damaged, and unpickles checkpoints from URLs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from lesionseg.checkpoints import Location, check_weights_only, read_checkpoint
from lesionseg.files import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints through a temporary file, and read them without running code.

    A full disk or a killed process leaves the earlier checkpoint as it was. URLs are refused;
    only weights and plain values are read. The command line uses it; in Python pass it as
    ``Trainer(plugins=[AtomicCheckpointIO()])``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import torch
        >>> from lesionseg.callbacks.checkpoint_io import AtomicCheckpointIO
        >>> checkpoint = {"state_dict": {"weight": torch.ones(2)}, "epoch": 3}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "last.ckpt")
        ...     AtomicCheckpointIO().save_checkpoint(checkpoint, path)
        ...     AtomicCheckpointIO().load_checkpoint(path)["epoch"]
        3
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint; see :class:`lightning.pytorch.plugins.io.CheckpointIO`."""
        if "://" in str(path):  # of another file system
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
            path: Path of a local file.
            map_location: See :func:`torch.load`.
            weights_only: None or True.

        Raises:
            CheckpointError: If the file cannot be read or is not a checkpoint.
            ValueError: If ``weights_only`` is False.
        """
        check_weights_only(weights_only)
        return read_checkpoint(path, map_location)
