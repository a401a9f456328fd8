"""Compare two models that were tested on the same images: lesionseg compare RUN_A RUN_B."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.errors import DatasetNotFoundError, LesionsegError
from lesionseg.files import check_outputs

# scipy and matplotlib are imported where they are used: the program's --help is quick.
if TYPE_CHECKING:
    from lesionseg.metrics.table import ScoreTable

_TABLE = "scores.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``lesionseg compare``."""
    from lesionseg.metrics.official import SCORE_NAMES

    parser.description = (
        "Compare two models that were scored on the same images, image by image: the difference of "
        "their means with a 95 % interval, and Wilcoxon's signed-rank test."
    )
    for letter in "AB":
        parser.add_argument(
            f"run_{letter.lower()}",
            metavar=f"RUN_{letter}",
            type=Path,
            help=f"folder with the {_TABLE} of lesionseg test, or the CSV of lesionseg score --csv",
        )
    parser.add_argument(
        "--score", choices=SCORE_NAMES, default="jaccard", help="default: %(default)s"
    )
    parser.add_argument(
        "--common", action="store_true", help="leave out images that only one of the two has"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the interval (default: 0)")
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", "json"],
        default="table",
        help="what to print (default: %(default)s)",
    )
    parser.add_argument(
        "--plot", metavar="FILE", type=Path, help="also draw the differences, to a PNG, SVG or PDF"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files of these names that lesionseg did not write",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs ``lesionseg compare`` and returns its exit code.

    Raises:
        LesionsegError: A table is not there, the two do not match, or the plot cannot be written.
    """
    if arguments.seed < 0:
        raise LesionsegError(f"--seed is {arguments.seed}; take 0 or more.")
    paths = arguments.run_a, arguments.run_b
    a, b = map(load_table, paths)
    if arguments.plot is not None:
        check_outputs([arguments.plot], paths, arguments.overwrite)

    from lesionseg.evaluation.comparison import compare_tables

    comparison = compare_tables(a, b, arguments.score, common=arguments.common, seed=arguments.seed)
    if arguments.plot is not None:
        from lesionseg.evaluation.comparison_plot import save_plot

        save_plot(comparison, arguments.plot)
    names = str(paths[0]), str(paths[1])
    json = arguments.output == "json"
    print(comparison.to_json(names) if json else comparison.render(names))
    return 0


def load_table(run: Path) -> ScoreTable:
    """Reads the per-image table of a run.

    Args:
        run: A folder that holds ``scores.csv``, or such a file.

    Raises:
        DatasetNotFoundError: There is no such table.
        InvalidDataError: The file is no such table.
    """
    from lesionseg.metrics.table import ScoreTable

    path = run / _TABLE if run.is_dir() else run
    if run.is_dir() and not path.is_file():
        raise DatasetNotFoundError(
            f"{run} holds no {_TABLE}; write one with lesionseg test, or give the CSV file of "
            "lesionseg score --csv."
        )
    return ScoreTable.from_csv(path)
