"""A CSV log that loses nothing when a run goes on in its folder."""

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
    """Lightning's CSV logger, which deletes the ``metrics.csv`` that it finds; this one keeps it.

    A fit that is resumed in its folder (:meth:`resume`) goes on in the same file. Before any other
    run writes there, the earlier file is renamed to ``metrics-1.csv``, ``metrics-2.csv`` and so on.
    Arguments are those of :class:`lightning.pytorch.loggers.CSVLogger`.
    """

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer; that of other processes than the first does nothing."""
        if self._experiment is None:
            self._open()
        writer: ExperimentWriter = super().experiment
        return writer

    @rank_zero_only
    def _open(self) -> None:
        self._experiment = _Writer(self.log_dir)

    @rank_zero_only
    def resume(self, epoch: int) -> None:
        """Go on in the ``metrics.csv`` of the fit that is resumed.

        Rows of the epoch and later ones, which will be logged again, are removed; so each epoch has
        its rows once.

        Args:
            epoch: The first one that is trained now.
        """
        writer = self.experiment
        if isinstance(writer, _Writer):
            writer.resume(epoch)


class _Writer(ExperimentWriter):
    """Rewrites the file whole or not at all; a new row is appended."""

    def __init__(self, log_dir: str) -> None:
        self._ours = False  # whether the file, if there is one, is this run's
        super().__init__(log_dir)

    @property
    def _file(self) -> Path:
        return Path(self.metrics_file_path)

    def _check_log_dir_exists(self) -> None:
        """Does nothing, where Lightning's deletes the file."""

    def save(self) -> None:
        if not self.metrics:
            return
        if not self._ours and self._file.exists():
            names = (self._file.with_stem(f"{self._file.stem}-{number}") for number in count(1))
            self._file.rename(next(name for name in names if not name.exists()))
        self._ours = True
        super().save()

    def resume(self, epoch: int) -> None:
        if self._ours or not self._file.is_file():
            return
        whole_lines = self._file.read_text(encoding="utf-8").rpartition("\n")[0]
        reader = csv.DictReader(io.StringIO(whole_lines))
        header = list(reader.fieldnames or [])
        if not any(name.startswith("train") for name in header):
            return  # a test's
        self.metrics_keys = header
        self._write(_before(epoch, list(reader)))
        self._ours = True

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
    """The rows up to the last one of an earlier epoch; some, such as learning rates, tell none."""
    kept = 0
    for number, row in enumerate(rows, 1):
        if row.get("epoch"):
            if float(row["epoch"]) >= epoch:
                break
            kept = number
    return rows[:kept]
