"""Train and score every row of a paper's table under one protocol."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from lesionseg.errors import LesionsegError
from lesionseg.experiments.cross_validation import fold_jobs
from lesionseg.experiments.jobs import Job, run_jobs
from lesionseg.experiments.paper_table import PaperTable, TableRow, slug
from lesionseg.experiments.reproduction_results import Cell
from lesionseg.files import atomic_path


def reproduce(
    table: PaperTable,
    rows: Sequence[TableRow],
    recipes: Sequence[str],
    folder: Path,
    options: argparse.Namespace,
    settings: dict[str, object],
    program: str,
) -> str:
    """Train, score and write everything; return the table."""
    cells = list(_cells(table, rows, recipes, folder, options))
    jobs = [job for cell in cells for job in cell.jobs]
    run_jobs(jobs, options.jobs, table.name, program=program)

    from lesionseg.experiments.reproduction_report import report

    chosen = {key: value for key, value in settings.items() if key != "root"}
    chosen |= {"epochs": options.epochs, "rows": options.rows, "recipes": list(recipes)}
    return report(table, cells, folder, chosen)


def _cells(
    table: PaperTable,
    rows: Sequence[TableRow],
    recipes: Sequence[str],
    folder: Path,
    options: argparse.Namespace,
) -> Iterator[Cell]:
    tests = {
        slug(name): test.arguments
        for name, test in table.tests.items()
        if _is_there(options.root, test.needs)
    }
    for recipe in recipes:
        for variant, training in table.variants.items():
            for row in rows:
                place = folder / recipe / slug(variant) / row.folder
                fit = [f"--config={_write_config(table, row, recipe, place, options)}"]
                fit += training
                keep = options.keep_checkpoints
                if table.num_folds is None:
                    jobs = [Job(place, fit, tests, keep_checkpoints=keep)]
                else:
                    jobs = fold_jobs(place, fit, table.num_folds, keep_checkpoints=keep)
                yield Cell(row, recipe, variant, jobs)


def _write_config(
    table: PaperTable,
    row: TableRow,
    recipe: str,
    place: Path,
    options: argparse.Namespace,
) -> Path:
    config = table.config(row, recipe, options.budget, options.epochs)
    config["data"]["init_args"] |= {
        "root": str(options.root.resolve()),
        "num_workers": options.workers,
    }
    if options.precision is not None:
        config["trainer"]["precision"] = options.precision
    path = place / "recipe.yaml"
    with atomic_path(path) as unfinished:
        unfinished.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def choose_recipes(table: PaperTable, options: argparse.Namespace) -> list[str]:
    """Return the recipes that the options ask for, else those of the budget."""
    if options.recipe is None:
        chosen: list[str] = table.budgets[options.budget]["recipes"]
        return chosen
    return list(table.recipes) if options.recipe == "both" else [options.recipe]


def choose_rows(table: PaperTable, names: Sequence[str] | None) -> list[TableRow]:
    """Return the rows of these names, or all for None.

    Raises:
        LesionsegError: If the table has no row of a name.
    """
    by_slug = {row.folder: row for row in table.rows}
    for name in names or ():
        if slug(name) not in by_slug:
            known = ", ".join(f'"{row.name}"' for row in table.rows)
            raise LesionsegError(f"{table.name} has no row {name!r}; its rows are {known}.")
    return [row for row in table.rows if names is None or row.folder in map(slug, names)]


def check_root(root: Path) -> None:
    """Check that the training images are there before anything is trained.

    Raises:
        DatasetNotFoundError: If they are not.
    """
    from lesionseg.data import ISICDataset

    ISICDataset(root, 2018, "train")


def _is_there(root: Path, needs: tuple[int, str] | None) -> bool:
    from lesionseg.data import ISICDataset

    return needs is None or ISICDataset.has(root, needs[0], needs[1])  # type: ignore[arg-type]


def missing_tests(table: PaperTable, root: Path) -> Iterator[str]:
    """One sentence for each test whose official files are not there."""
    from lesionseg.data import ISICDataset
    from lesionseg.data.archives import how_to_get

    for name, test in table.tests.items():
        if test.needs is not None and not _is_there(root, test.needs):
            official = ISICDataset.check(*test.needs)
            wanted = [one.folder for one in official if not (root / one.folder).is_dir()]
            yield (
                f"Not tested: {name} ({test.what}), because {' and '.join(wanted)} "
                f"{'is' if len(wanted) == 1 else 'are'} not in {root}; "
                f"{how_to_get(root, *test.needs)}, and then this command again."
            )
