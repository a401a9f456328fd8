"""``lesionseg reproduce``: every row of a paper's table, trained and scored under one protocol."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from lesionseg.errors import LesionsegError
from lesionseg.evaluation.claim import claimed
from lesionseg.evaluation.cross_validation import fold_jobs
from lesionseg.evaluation.jobs import Job, run_jobs
from lesionseg.evaluation.paper_table import PaperTable, TableRow, load_table, slug, table_names
from lesionseg.evaluation.reproduction_results import Cell
from lesionseg.files import atomic_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg reproduce`` to its parser."""
    parser.description = (
        "Train and score every row of a paper's table under one protocol and print it beside the "
        "quoted figures. After an interruption the same command goes on where it stopped."
    )
    parser.add_argument("table", metavar="TABLE", help=f"one of {', '.join(table_names())}")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder of the official folders (default: %(default)s)",
    )
    parser.add_argument(
        "--budget",
        choices=["full", "quick"],
        default="full",
        help="full (default), or quick: the whole path in small, under an hour on two CPU cores",
    )
    parser.add_argument(
        "--recipe",
        choices=["common", "paper", "both"],
        help="one recipe for all rows, from scratch; or the paper's own; or both (default: both, "
        "with --budget quick the common one)",
    )
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", help="only these rows, by their names in the table"
    )
    epochs = parser.add_mutually_exclusive_group()
    epochs.add_argument(
        "--epochs", type=int, metavar="N", help="epochs of every run, instead of the budget's"
    )
    epochs.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="plan the epochs, the same for all rows, so that everything takes about so long: "
        "every row's step is timed on this machine first",
    )
    parser.add_argument("--precision", metavar="P", help="of the Trainer, such as bf16-mixed")
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that read images for a run"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: runs/TABLE-BUDGET")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="runs side by side; see cross-validate"
    )
    parser.add_argument(
        "--keep_checkpoints",
        action="store_true",
        help="keep the weights of every run, so that tests whose images come later need no "
        "training; they take gigabytes",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg reproduce`` and return its exit code.

    Raises:
        LesionsegError: There is no such table, row or data, or a run failed.
    """
    table = load_table(options.table)
    rows = _chosen_rows(table, options.rows)
    _check_root(options.root)
    recipes = _recipes(table, options)
    folder = (options.output or Path("runs") / f"{table.name}-{options.budget}").resolve()
    settings = {
        "table": table.name,
        "budget": options.budget,
        "root": str(options.root.resolve()),
        "precision": options.precision,
        "epochs": options.epochs,
        "minutes": options.minutes,
    }
    with claimed(folder, settings, "reproduction.json"):
        print(_reproduce(table, rows, recipes, folder, options, settings))
    for missing in _missing_tests(table, options.root):
        print(missing)
    print(f"Table: {folder / 'table.md'} (also .csv and .json), plot {folder / 'table.png'}")
    return 0


def _reproduce(
    table: PaperTable,
    rows: Sequence[TableRow],
    recipes: Sequence[str],
    folder: Path,
    options: argparse.Namespace,
    settings: dict[str, object],
) -> str:
    """Train, score and write everything; return the table."""
    epochs: int | None = options.epochs
    if options.minutes is not None:
        from lesionseg.evaluation.plan import plan_epochs

        groups: dict[tuple[str, str], list[Job]] = {}
        for cell in _cells(table, rows, recipes, folder, options):
            groups.setdefault((cell.recipe, cell.row.folder), []).extend(cell.jobs)
        epochs = plan_epochs(folder, groups, options.minutes, options.jobs)
        print(f"{epochs} epochs of every run fit into {options.minutes:g} minutes.")
    cells = list(_cells(table, rows, recipes, folder, options, epochs))
    run_jobs([job for cell in cells for job in cell.jobs], options.jobs, table.name)

    from lesionseg.evaluation.reproduction_report import report

    chosen = {key: value for key, value in settings.items() if key != "root"}
    chosen |= {"epochs": epochs, "rows": options.rows, "recipes": list(recipes)}
    return report(table, cells, folder, chosen)


def _cells(
    table: PaperTable,
    rows: Sequence[TableRow],
    recipes: Sequence[str],
    folder: Path,
    options: argparse.Namespace,
    epochs: int | None = None,
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
                fit = [f"--config={_write_config(table, row, recipe, place, options, epochs)}"]
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
    epochs: int | None,
) -> Path:
    config = table.config(row, recipe, options.budget, epochs)
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


def _recipes(table: PaperTable, options: argparse.Namespace) -> list[str]:
    if options.recipe is None:
        chosen: list[str] = table.budgets[options.budget]["recipes"]
        return chosen
    return list(table.recipes) if options.recipe == "both" else [options.recipe]


def _chosen_rows(table: PaperTable, names: Sequence[str] | None) -> list[TableRow]:
    by_slug = {row.folder: row for row in table.rows}
    for name in names or ():
        if slug(name) not in by_slug:
            known = ", ".join(f'"{row.name}"' for row in table.rows)
            raise LesionsegError(f"{table.name} has no row {name!r}; its rows are {known}.")
    return [row for row in table.rows if names is None or row.folder in map(slug, names)]


def _check_root(root: Path) -> None:
    from lesionseg.data import ISICDataset

    ISICDataset(root, 2018, "train")  # says what is missing before anything is trained


def _is_there(root: Path, needs: tuple[int, str] | None) -> bool:
    from lesionseg.data import ISICDataset

    return needs is None or ISICDataset.has(root, needs[0], needs[1])  # type: ignore[arg-type]


def _missing_tests(table: PaperTable, root: Path) -> Iterator[str]:
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
