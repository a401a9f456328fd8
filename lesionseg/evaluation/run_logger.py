"""A CSV log that loses nothing when a run goes on in its folder."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only


class RunLogger(CSVLogger):
    """Lightning's CSV logger, which deletes the ``metrics.csv`` that it finds; this one keeps it.

    An earlier file is renamed to ``metrics-1.csv``, ``metrics-2.csv`` and so on before the new one
    is begun. Arguments are those of :class:`lightning.pytorch.loggers.CSVLogger`.
    """

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer; the first call makes room for its file."""
        if self._experiment is None:
            _keep(Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE)
        writer: ExperimentWriter = super().experiment
        return writer


@rank_zero_only
def _keep(file: Path) -> None:
    if file.exists():
        names = (file.with_stem(f"{file.stem}-{number}") for number in count(1))
        file.rename(next(name for name in names if not name.exists()))
