"""The score tables that a comparison reads, and the names of the runs that they are of."""

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
_HERE = ""  # the name of a table that lies in the given folder itself, or is the given file


class TestedRun(NamedTuple):
    """A run's scores of one test.

    Attributes:
        name: The model and the run, as tables show them.
        table: The scores of each image.
        test: What was tested, see :func:`lesionseg.callbacks.provenance.describe_test`; None for
            a table that does not tell.
    """

    name: str
    table: ScoreTable
    test: dict[str, Any] | None


def read_runs(paths: Sequence[Path], test: str | None = None) -> list[TestedRun]:
    """Read the tables of runs that were tested on the same images.

    Args:
        paths: Of each a run's folder, a test's folder, or a CSV file.
        test: Which of the runs' tests, such as ``isic2018-val``; None takes the only one that all
            runs have.

    Raises:
        DatasetNotFoundError: If there is no table of a run, or none of this test.
        LesionsegError: If the runs have several tests in common and ``test`` does not choose one.
        InvalidDataError: If a file is no score table.
    """
    from lesionseg.metrics.table import ScoreTable

    found = [_tables(path) for path in paths]
    several = [one for one in found if _HERE not in one]
    chosen = _choose(paths, several, test) if several else _HERE
    files = [one[_HERE] if _HERE in one else one[chosen] for one in found]
    records = [_record(file) for file in files]
    names = [_name(*one) for one in zip(paths, files, records, strict=True)]
    if len(set(names)) < len(names):  # the same run, tested in several ways
        names = [f"{name} ({path.name})" for name, path in zip(names, paths, strict=True)]
    tables = [ScoreTable.from_csv(file) for file in files]
    return [TestedRun(*one) for one in zip(names, tables, records, strict=True)]


def _tables(path: Path) -> dict[str, Path]:
    """The tables of a run by the name of their test."""
    if not path.is_dir():
        return {_HERE: path}
    if (path / TABLE).is_file():
        return {_HERE: path / TABLE}
    tables = {file.parent.name: file for file in sorted(path.glob(f"test-*/{TABLE}"))}
    if not tables:
        raise DatasetNotFoundError(
            f"{path} holds no {TABLE}; test a checkpoint of this run with lesionseg test, or give "
            "the CSV file of lesionseg score --csv."
        )
    return tables


def _choose(paths: Sequence[Path], tables: Sequence[dict[str, Path]], test: str | None) -> str:
    """The test that all runs have."""
    common = sorted(set(tables[0]).intersection(*tables[1:]))
    everywhere = sorted({name for one in tables for name in one})
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
            "images, or give the folders of the tests instead of the runs."
        )
    if len(common) > 1:
        raise LesionsegError(
            f"the runs have {len(common)} tests in common; choose with --test "
            f"{' or '.join(name.removeprefix('test-') for name in common)}."
        )
    return common[0]


def _record(file: Path) -> dict[str, Any] | None:
    """What was tested, as the file beside the table tells."""
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
    model = str(test["model"]["class_path"]).rpartition(".")[2]
    if model == "Segmenter":
        model = str(test["model"]["init_args"].get("network", model))
    run = file.parent
    if run.name.startswith("test-"):
        run = run.parent
    details = []
    checkpoint = Path(test["checkpoint"]).stem if test.get("checkpoint") else "best"
    if checkpoint != "best":
        details.append(checkpoint)
    if test.get("test_time_augmentation", "none") != "none":
        details.append(test["test_time_augmentation"])
    return " ".join([model, str(run), *(f"[{one}]" for one in details)])
