"""``lesionseg compare``: compare models with a paired test on the same images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import check_outputs
from lesionseg.scoring.tested_runs import TABLE, TestedRun, read_runs

# numpy, scipy and matplotlib are imported where they are used, so that --help is quick.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg compare``."""
    from lesionseg.metrics.official import SCORE_NAMES

    parser.description = (
        "Compare models with a paired test on the same images: the difference of their mean scores "
        "with a 95 % interval, and Wilcoxon's signed-rank test. Of more than two models, each is "
        "compared with the first."
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        type=Path,
        help="at least two: folder of a run that lesionseg test has tested, folder of a test, "
        f"any other folder with a {TABLE}, or CSV file of lesionseg score --csv",
    )
    parser.add_argument(
        "--test",
        metavar="NAME",
        help="name of the test, such as isic2018-val; required where the runs have several tests "
        "in common",
    )
    parser.add_argument(
        "--score", choices=SCORE_NAMES, default="jaccard", help="score (default: %(default)s)"
    )
    parser.add_argument(
        "--common", action="store_true", help="compare only the images that all runs have"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the interval (default: 0)")
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", "json", "csv", "markdown", "latex"],
        default="table",
        help="output format (default: %(default)s)",
    )
    parser.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="also plot the differences to a PNG, SVG or PDF file",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files of these names that lesionseg did not write",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``lesionseg compare`` and return its exit code.

    Raises:
        LesionsegError: If a table is missing, the tables do not match, or the plot cannot be
            written.
    """
    if arguments.seed < 0:
        raise LesionsegError(f"expected --seed to be at least 0, got {arguments.seed}.")
    if len(arguments.runs) < 2:
        raise LesionsegError(f"expected at least two runs, got only {arguments.runs[0]}.")
    runs = read_runs(arguments.runs, arguments.test)
    if arguments.plot is not None:
        check_outputs([arguments.plot], arguments.runs, arguments.overwrite)
    if len(runs) == 2 and arguments.output in ("table", "json"):
        print(printable(_compare_two(runs, arguments)))
        return 0

    from lesionseg.scoring.comparison_table import compare_with_first

    names, tables = [run.name for run in runs], [run.table for run in runs]
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
