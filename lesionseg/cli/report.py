"""Write a report of runs: lesionseg report RUN [RUN ...]."""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import check_outputs

# numpy, matplotlib and torch are imported where they are used, so that --help is quick.

_PAGE = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg report``."""
    from lesionseg.metrics.official import SCORE_NAMES

    parser.description = (
        "Write one HTML file about one or more runs: settings, training curves, scores with "
        "intervals, worst and best images, reliability, scores by lesion size, border contact and "
        "contrast, and of several runs a comparison with paired tests."
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        type=Path,
        help="folder of a run, folder of a test, or CSV file of lesionseg score --csv",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help=f"HTML file to write (default: {_PAGE} in the folder of the first run, or here)",
    )
    parser.add_argument(
        "--test", metavar="NAME", help="name of the test, such as isic2018-val (default: all)"
    )
    parser.add_argument(
        "--score",
        choices=SCORE_NAMES,
        default="jaccard",
        help="score that is compared (default: %(default)s)",
    )
    parser.add_argument(
        "--images",
        type=int,
        default=6,
        metavar="N",
        help="number of best and of worst images; 0 reads no image (default: %(default)s)",
    )
    parser.add_argument(
        "--common", action="store_true", help="compare only the images that all runs have"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the comparison's intervals (default: 0)"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace a file that lesionseg did not write",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``lesionseg report`` and return its exit code.

    Raises:
        LesionsegError: If a path is not of a run, a file of it is damaged, or an option is wrong.
        OSError: If the page cannot be written.
    """
    for name in ("images", "seed"):
        if (value := getattr(arguments, name)) < 0:
            raise LesionsegError(f"expected --{name} to be at least 0, got {value}.")
    runs: list[Path] = arguments.runs
    page: Path = arguments.output or (runs[0] / _PAGE if runs[0].is_dir() else Path(_PAGE))
    check_outputs([page], runs, arguments.overwrite)

    from lesionseg.report.page import write_report

    write_report(
        runs,
        page,
        test=arguments.test,
        score=arguments.score,
        images=arguments.images,
        common=arguments.common,
        seed=arguments.seed,
    )
    print(printable(f"Report: {page} (opens in any browser)"))
    return 0
