"""Compare models that were tested on the same images: lesionseg compare RUN RUN ..."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import check_outputs
from lesionseg.scoring.tested_runs import TABLE, TestedRun, read_runs

# numpy, scipy and matplotlib are imported where they are used: the program's --help is quick.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg compare``."""
    from lesionseg.metrics.official import SCORE_NAMES

    parser.description = (
        "Compare models that were scored on the same images, image by image: the difference of "
        "their means with a 95 % interval, and Wilcoxon's signed-rank test. Of more than two, each "
        "is compared with the first."
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        type=Path,
        help="two or more: a run's folder that lesionseg test has tested, the folder of one of its "
        f"tests, any other folder with a {TABLE}, or the CSV of lesionseg score --csv",
    )
    parser.add_argument(
        "--test",
        metavar="NAME",
        help="which test of the runs, such as isic2018-val; needed where they have several in "
        "common",
    )
    parser.add_argument(
        "--score", choices=SCORE_NAMES, default="jaccard", help="default: %(default)s"
    )
    parser.add_argument(
        "--common", action="store_true", help="leave out images that not all of them have"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the interval (default: 0)")
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", "json", "csv", "markdown", "latex"],
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
    """Run ``lesionseg compare`` and return its exit code.

    Raises:
        LesionsegError: If a table is not there, the tables do not match, or the plot cannot be
            written.
    """
    if arguments.seed < 0:
        raise LesionsegError(f"--seed is {arguments.seed}; take 0 or more.")
    if len(arguments.runs) < 2:
        raise LesionsegError(f"expected two runs or more, got {arguments.runs[0]} alone.")
    runs = read_runs(arguments.runs, arguments.test)
    if arguments.plot is not None:
        check_outputs([arguments.plot], arguments.runs, arguments.overwrite)
    if len(runs) == 2 and arguments.output in ("table", "json"):
        print(printable(_compare_two(runs, arguments)))
        return 0

    from lesionseg.scoring.comparison_table import compare_with_first

    names, tables = [one.name for one in runs], [one.table for one in runs]
    table = compare_with_first(
        names, tables, arguments.score, common=arguments.common, seed=arguments.seed
    )
    if arguments.plot is not None:
        from lesionseg.scoring.comparison_plot import save_plot

        save_plot(table if len(runs) > 2 else table.comparisons[0], arguments.plot)
    formats = {
        "table": table.render,
        "json": table.to_json,
        "csv": table.to_csv,
        "markdown": table.to_markdown,
        "latex": table.to_latex,
    }
    print(printable(formats[arguments.output]()))
    return 0


def _compare_two(runs: Sequence[TestedRun], arguments: argparse.Namespace) -> str:
    from lesionseg.scoring.comparison import compare_tables

    a, b = runs
    comparison = compare_tables(
        a.table, b.table, arguments.score, common=arguments.common, seed=arguments.seed
    )
    if arguments.plot is not None:
        from lesionseg.scoring.comparison_plot import save_plot

        save_plot(comparison, arguments.plot)
    names = a.name, b.name
    return comparison.to_json(names) if arguments.output == "json" else comparison.render(names)
