"""Read what a run's folder holds: settings, curves, and the results of its tests."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten
from lesionseg.metrics.table import ScoreTable
from lesionseg.run_folder import CHECKPOINTS
from lesionseg.scoring.tested_runs import TABLE, name_run, read_record

CONFIG, METRICS, RELIABILITY, EXTENDED = (
    *("config.yaml", "metrics.csv", "reliability.csv", "extended.csv"),
)
_RELIABILITY_COLUMNS = ("bin_low", "bin_high", "pixels", "mean_probability", "lesion_fraction")


class ScoredTest(NamedTuple):
    """Results of a test.

    Attributes:
        name: Name of the test, such as ``isic2018-val``; empty for a CSV file.
        file: Table of scores.
        table: Scores of each image.
        record: Description of the test, see
            :func:`lesionseg.callbacks.provenance.describe_test`; None if there is none.
        reliability: Bins of probabilities; empty if the test has none.
        extended: Further scores by their names, with a value for each image; empty if the test has
            none.
    """

    name: str
    file: Path
    table: ScoreTable
    record: dict[str, Any] | None
    reliability: list[dict[str, float]]
    extended: dict[str, list[float]]


class RunData(NamedTuple):
    """What the folder of a run holds.

    Attributes:
        path: Folder or file, as given.
        name: Model and path.
        config: Content of ``config.yaml``; empty if there is none.
        curves: Logged values by their names, as (epoch, value); empty if there are none.
        tests: Tests, by name.
    """

    path: Path
    name: str
    config: dict[str, Any]
    curves: dict[str, list[tuple[float, float]]]
    tests: list[ScoredTest]


def read_run(path: Path, test: str | None = None) -> RunData:
    """Read a run.

    Args:
        path: Folder of a run, folder of a test, or table of ``lesionseg score --csv``.
        test: Name of the test to read; None for all.

    Raises:
        DatasetNotFoundError: If the path is none of these, or there is no such test.
        InvalidDataError: If a file is damaged.
    """
    if not path.exists():
        raise DatasetNotFoundError(f"there is no file or folder {path}; check the path.")
    if not path.is_dir():
        return RunData(path, str(path), {}, {}, [_read_test(path, "")])
    files = [path / TABLE] if (path / TABLE).is_file() else sorted(path.glob(f"test-*/{TABLE}"))
    home = path.parent if path.name.startswith("test-") and files == [path / TABLE] else path
    if not files and not any((home / name).exists() for name in (CONFIG, METRICS, CHECKPOINTS)):
        raise DatasetNotFoundError(_no_run(path))
    names = {file: file.parent.name.removeprefix("test-") for file in files}
    if test is not None and files:
        kept = [file for file in files if test in (names[file], file.parent.name)]
        if not kept:
            raise DatasetNotFoundError(
                f"{path} has no test {test!r}; its tests are {', '.join(names.values())}."
            )
        files = kept
    tests = [_read_test(file, names[file]) for file in files]
    config = _read_config(home / CONFIG)
    return RunData(path, _name(path, config, tests), config, _read_curves(home / METRICS), tests)


def _no_run(path: Path) -> str:
    inside = sorted(
        folder
        for folder in path.iterdir()
        if folder.is_dir() and ((folder / CONFIG).is_file() or (folder / METRICS).is_file())
    )
    if inside:
        return f"{path} is not a run, but holds runs: give {shorten(map(str, inside))}."
    return (
        f"{path} is not the folder of a run: it holds no {CONFIG}, {METRICS} or {TABLE}; give the "
        "folder that lesionseg fit wrote."
    )


def _name(path: Path, config: Mapping[str, Any], tests: Sequence[ScoredTest]) -> str:
    record = next((test.record for test in tests if test.record), None)
    if record is not None:
        return name_run(path, record)
    model = config.get("model") or {}
    kind = str(model.get("class_path", "")).rpartition(".")[2]
    network = (model.get("init_args") or {}).get("network") if kind == "Segmenter" else None
    return " ".join(filter(None, [str(network or kind), str(path)]))


def _read_test(file: Path, name: str) -> ScoredTest:
    beside = file.parent if file.name == TABLE else None
    extended, reliability = {}, []
    table = ScoreTable.from_csv(file)
    if beside is not None and (beside / RELIABILITY).is_file():
        reliability = _numbers(beside / RELIABILITY, _RELIABILITY_COLUMNS)
    if beside is not None and (beside / EXTENDED).is_file():
        extended = _read_extended(beside / EXTENDED)
    return ScoredTest(name, file, table, read_record(file), reliability, extended)


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidDataError(f"{path} cannot be read as YAML; restore or remove it.") from error
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path} holds no settings; restore or remove it.")
    return content


def _rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file whose rows all have the columns of its header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidDataError(
            f"{path} cannot be read as a table ({error}); restore or remove it."
        ) from error
    if any(None in row or None in row.values() for row in rows):
        raise InvalidDataError(
            f"{path} is damaged: a row has not as many cells as the header; restore or remove it."
        )
    return rows


def _number(cell: str, path: Path) -> float:
    try:
        return float(cell) if cell else math.nan
    except ValueError as error:
        raise InvalidDataError(
            f"{path} is damaged: it holds {shorten([cell])!r} instead of a number; restore or "
            "remove it."
        ) from error


def _numbers(path: Path, columns: Sequence[str]) -> list[dict[str, float]]:
    rows = _rows(path)
    absent = [name for name in columns if rows and name not in rows[0]]
    if absent or not rows:
        raise InvalidDataError(
            f"{path} is damaged: it needs rows with the columns {', '.join(columns)}; restore or "
            "remove it."
        )
    return [{name: _number(row[name], path) for name in columns} for row in rows]


def _read_curves(path: Path) -> dict[str, list[tuple[float, float]]]:
    if not path.is_file():
        return {}
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in _rows(path):
        epoch = _number(row.get("epoch", ""), path)
        for name, cell in row.items():
            if name not in ("epoch", "step") and cell and not math.isnan(epoch):
                curves.setdefault(name, []).append((epoch, _number(cell, path)))
    return curves


def _read_extended(path: Path) -> dict[str, list[float]]:
    rows = _rows(path)
    if not rows or "image" not in rows[0]:
        raise InvalidDataError(
            f"{path} is damaged: it needs a column image and rows; restore or remove it."
        )
    return {name: [_number(row[name], path) for row in rows] for name in rows[0] if name != "image"}
