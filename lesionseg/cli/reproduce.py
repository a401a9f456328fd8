"""``lesionseg reproduce``: train and score every row of a paper's table under one protocol."""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.cli import PROGRAM
from lesionseg.experiments.paper_table import load_table, table_names
from lesionseg.experiments.reproduction import (
    check_root,
    choose_recipes,
    choose_rows,
    missing_tests,
    reproduce,
)
from lesionseg.experiments.run_lock import claimed


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
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="epochs of every run, instead of the budget's"
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
    rows = choose_rows(table, options.rows)
    check_root(options.root)
    recipes = choose_recipes(table, options)
    folder = (options.output or Path("runs") / f"{table.name}-{options.budget}").resolve()
    settings = {
        "table": table.name,
        "budget": options.budget,
        "root": str(options.root.resolve()),
        "precision": options.precision,
        "epochs": options.epochs,
    }
    with claimed(folder, settings, "reproduction.json"):
        print(reproduce(table, rows, recipes, folder, options, settings, PROGRAM))
    for missing in missing_tests(table, options.root):
        print(missing)
    print(f"Table: {folder / 'table.md'} (also .csv and .json), plot {folder / 'table.png'}")
    return 0
