"""The score tables of tested runs, and the names of these runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionseg.errors import DatasetNotFoundError, LesionsegError

if TYPE_CHECKING:
    from lesionseg.metrics.table import ScoreTable

TABLE = "scores.csv"
"""The per-image table of a test."""
_HERE = ""  # key of a table that is the given file, or directly in the given folder


class TestedRun(NamedTuple):
    """A run's scores of a test.

    Attributes:
        name: Model and run, as tables show them.
        table: Scores of each image.
        test: Description of the test, see
            :func:`lesionseg.callbacks.provenance.describe_test`; None for a table without it.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import ScoreTable
        >>> from lesionseg.scoring import TestedRun
        >>> run = TestedRun("UNet runs/0", ScoreTable(["a"], np.array([[6, 2, 2, 90]])), test=None)
        >>> f"{run.name}: {run.table.summary()['jaccard']:.1f}"
        'UNet runs/0: 0.6'
    """

    name: str
    table: ScoreTable
    test: dict[str, Any] | None


def read_runs(paths: Sequence[Path], test: str | None = None) -> list[TestedRun]:
    """Read the tables of runs that were tested on the same images.

    Args:
        paths: For each run its folder, the folder of a test, or a CSV file.
        test: Name of the test, such as ``isic2018-val``; None for the only test that all runs have.

    Raises:
        DatasetNotFoundError: If a run has no table, or no table of this test.
        LesionsegError: If the runs have several tests in common and ``test`` is None.
        InvalidDataError: If a file is not a score table.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from lesionseg.metrics import ScoreTable
        >>> from lesionseg.scoring import read_runs
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "unet.csv")
        ...     ScoreTable(["a"], np.array([[6, 2, 2, 90]])).to_csv(path)
        ...     [run] = read_runs([path])
        >>> run.table.scores["jaccard"]
        array([0.6])
    """
    from lesionseg.metrics.table import ScoreTable

    found = [_tables(path) for path in paths]
    several = [tables for tables in found if _HERE not in tables]
    chosen = _choose(several, test) if several else _HERE
    files = [tables[_HERE] if _HERE in tables else tables[chosen] for tables in found]
    records = [read_record(file) for file in files]
    names = [_name(*parts) for parts in zip(paths, files, records, strict=True)]
    if len(set(names)) < len(names):  # the same run with several tests
        names = [f"{name} ({path.name})" for name, path in zip(names, paths, strict=True)]
    return [
        TestedRun(name, ScoreTable.from_csv(file), record)
        for name, file, record in zip(names, files, records, strict=True)
    ]


def _tables(path: Path) -> dict[str, Path]:
    """Return the tables of a run by the name of their test."""
    if not path.is_dir():
        return {_HERE: path}
    if (path / TABLE).is_file():
        return {_HERE: path / TABLE}
    tables = {file.parent.name: file for file in sorted(path.glob(f"test-*/{TABLE}"))}
    if not tables:
        raise DatasetNotFoundError(
            f"{path} holds no {TABLE}; test a checkpoint of this run with lesionseg test, or use "
            "the CSV file of lesionseg score --csv."
        )
    return tables


def _choose(tables: Sequence[dict[str, Path]], test: str | None) -> str:
    """Return the name of the test that all runs have."""
    common = sorted(set(tables[0]).intersection(*tables[1:]))
    everywhere = sorted(set().union(*tables))
    if test is not None:
        for name in common:
            if test in (name, name.removeprefix("test-")):
                return name
        raise DatasetNotFoundError(
            f"not every run has a test {test!r}; the tests are {', '.join(everywhere)}."
        )
    if not common:
        raise DatasetNotFoundError(
            f"the runs have no test in common, only {', '.join(everywhere)}; test them on the same "
            "images, or use the folders of the tests instead of the runs."
        )
    if len(common) > 1:
        raise LesionsegError(
            f"the runs have {len(common)} tests in common; choose with --test "
            f"{' or '.join(name.removeprefix('test-') for name in common)}."
        )
    return common[0]


def read_record(file: Path) -> dict[str, Any] | None:
    """Return the description of the test from the file beside the table."""
    if file.name != TABLE:
        return None
    try:
        test = json.loads(file.with_name("scores.json").read_text(encoding="utf-8"))["test"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return test if isinstance(test, dict) else None


def _name(path: Path, file: Path, test: dict[str, Any] | None) -> str:
    if test is None:
        return str(path)
    run = file.parent
    if run.name.startswith("test-"):
        run = run.parent
    details = []
    checkpoint = Path(test["checkpoint"]).stem if test.get("checkpoint") else "best"
    if checkpoint != "best":
        details.append(checkpoint)
    for name in ("test_time_augmentation", "postprocess"):
        if test.get(name, "none") != "none":
            details.append(test[name])
    return " ".join([name_run(run, test), *(f"[{detail}]" for detail in details)])


def name_run(run: Path, test: dict[str, Any]) -> str:
    """Return the name of a run: its model, of a Segmenter the network, and its folder."""
    model = str(test["model"]["class_path"]).rpartition(".")[2]
    if model == "Segmenter":
        model = str(test["model"]["init_args"].get("network", model))
    return f"{model} {run}"
