"""A CSV logger that keeps what earlier runs have logged in its folder.

Lightning's CSVLogger deletes the ``metrics.csv`` that it finds, and rewrites it in place when a new
metric appears, so that a killed process may leave half of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only

from lesionseg.files import atomic_path


class RunLogger(CSVLogger):
    """A CSVLogger that keeps the ``metrics.csv`` of earlier runs.

    A fit that is resumed in its folder (:meth:`resume`) continues the file. Before any other run
    writes there, the earlier file is renamed to ``metrics-1.csv``, ``metrics-2.csv`` and so on.
    Arguments are those of :class:`lightning.pytorch.loggers.CSVLogger`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from lesionseg.callbacks.csv_logger import RunLogger
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for loss in (0.5, 0.25):  # two runs in the same folder
        ...         logger = RunLogger(folder, name="", version="mine")
        ...         logger.log_metrics({"train/loss": loss}, step=0)
        ...         logger.save()
        ...     sorted(path.name for path in Path(folder, "mine").iterdir())
        ['metrics-1.csv', 'metrics.csv']
    """

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer; it does nothing in processes other than the first."""
        if self._experiment is None:
            self._open()
        writer: ExperimentWriter = super().experiment
        return writer

    @rank_zero_only
    def _open(self) -> None:
        self._experiment = _Writer(self.log_dir)

    @rank_zero_only
    def resume(self, epoch: int) -> None:
        """Continue the ``metrics.csv`` of the fit that is resumed.

        Rows of this and later epochs, which will be logged again, are removed, so that the file has
        each epoch once.

        Args:
            epoch: First epoch that is trained now.
        """
        writer = self.experiment
        if isinstance(writer, _Writer):
            writer.resume(epoch)


class _Writer(ExperimentWriter):
    """Append rows, and rewrite the file whole or not at all.

    Overrides private methods of Lightning's writer; tests/test_private_api.py names them.
    """

    def __init__(self, log_dir: str) -> None:
        self._is_ours = False  # whether an existing file is of this run
        super().__init__(log_dir)

    @property
    def _file(self) -> Path:
        return Path(self.metrics_file_path)

    def _check_log_dir_exists(self) -> None:
        """Do nothing; Lightning's method deletes the file."""

    def save(self) -> None:
        if not self.metrics:
            return
        if not self._is_ours and self._file.exists():
            names = (self._file.with_stem(f"{self._file.stem}-{number}") for number in count(1))
            self._file.rename(next(name for name in names if not name.exists()))
        self._is_ours = True
        super().save()

    def resume(self, epoch: int) -> None:
        if self._is_ours or not self._file.is_file():
            return
        whole_lines = self._file.read_text(encoding="utf-8").rpartition("\n")[0]
        reader = csv.DictReader(io.StringIO(whole_lines))
        header = list(reader.fieldnames or [])
        if not any(name.startswith("train") for name in header):
            return  # of a test
        self.metrics_keys = header
        self._write(_before(epoch, list(reader)))
        self._is_ours = True

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        with self._file.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self._write(rows)

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        with (
            atomic_path(self._file) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, self.metrics_keys)
            writer.writeheader()
            writer.writerows(rows)


def _before(epoch: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows up to the last of an earlier epoch; some rows, as of rates, have none."""
    kept = 0
    for number, row in enumerate(rows, 1):
        if row.get("epoch"):
            if float(row["epoch"]) >= epoch:
                break
            kept = number
    return rows[:kept]
