"""``lesionseg reproduce``: train and score every row of a paper's table under one protocol."""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.cli import PROGRAM
from lesionseg.experiments.paper_table import load_table, table_names
from lesionseg.experiments.reproduction import Reproduction
from lesionseg.experiments.run_lock import locked_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg reproduce`` to its parser."""
    parser.description = (
        "Train and score every row of a paper's table under one protocol and print it beside the "
        "quoted figures. After an interruption the same command resumes."
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
        help="full (default), or quick: all rows with few small images and 3 epochs, for a CPU",
    )
    parser.add_argument(
        "--recipe",
        choices=["common", "paper", "both"],
        help="the same recipe for all rows, from scratch; the paper's own; or both (default: both, "
        "with --budget quick common)",
    )
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", help="only these rows, by their names in the table"
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="epochs of every run (default: the budget's)"
    )
    parser.add_argument("--precision", metavar="P", help="the Trainer's, such as bf16-mixed")
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that read images for a run"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: runs/TABLE-BUDGET")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="runs at the same time; see cross-validate"
    )
    parser.add_argument(
        "--keep-checkpoints",
        action="store_true",
        help="keep the weights of every run (gigabytes), so that tests whose images are added "
        "later need no training",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg reproduce`` and return its exit code.

    Raises:
        LesionsegError: If there is no such table, row or data, or a run fails.
    """
    table = load_table(options.table)
    folder = (options.output or Path("runs") / f"{table.name}-{options.budget}").resolve()
    reproduction = Reproduction(
        table,
        options.root,
        folder,
        options.budget,
        options.recipe,
        options.rows,
        options.epochs,
        options.precision,
        options.workers,
        options.jobs,
        options.keep_checkpoints,
    )
    reproduction.check()
    with locked_folder(folder, reproduction.settings, "reproduction.json"):
        print(reproduction.run(PROGRAM))
    for sentence in reproduction.missing_tests():
        print(sentence)
    print(f"Table: {folder / 'table.md'} (also .csv and .json), plot {folder / 'table.png'}")
    return 0
