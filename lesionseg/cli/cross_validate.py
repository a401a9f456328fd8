"""``lesionseg cross-validate``: train and score a model on each fold."""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.cli import PROGRAM
from lesionseg.experiments.cross_validation import fold_jobs, keep_fold_lists
from lesionseg.experiments.jobs import run_jobs
from lesionseg.experiments.run_lock import locked_folder

#: Arguments that this command does not know are those of ``lesionseg fit``.
PASSES_ARGUMENTS_TO_FIT = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg cross-validate`` to its parser."""
    parser.usage = (
        "lesionseg cross-validate [--num-folds N] [--output DIR] [--jobs N] [--epoch last|best]\n"
        "                                [arguments of lesionseg fit]"
    )
    parser.description = (
        "For each fold, train a new model on the other folds and score the fold's images with it. "
        "All other arguments go to lesionseg fit, such as --config RECIPE --data.root DIR; the "
        "DataModule must support folds (ISICDataModule, FolderDataModule). After an interruption "
        "the same command resumes."
    )
    parser.add_argument("--num-folds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("runs/cross-validation"),
        metavar="DIR",
        help="folder of the results (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="folds at the same time (default: one for each GPU, or for each of up to four CPU "
        "cores)",
    )
    parser.add_argument(
        "--epoch",
        choices=["last", "best"],
        default="last",
        help="test the last epoch (default), or the best by validation, on the same images",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg cross-validate`` and return its exit code.

    Raises:
        LesionsegError: If a fold fails, or the output folder holds another cross-validation.
    """
    folder: Path = options.output.resolve()
    jobs = fold_jobs(folder, options.rest, options.num_folds, options.epoch)
    settings = {"fit": options.rest, "num_folds": options.num_folds, "epoch": options.epoch}
    with locked_folder(folder, settings, "cross_validation.json"):
        run_jobs(
            jobs,
            options.jobs,
            "cross-validate",
            lambda job: keep_fold_lists([job]),
            program=PROGRAM,
        )
        keep_fold_lists(jobs)

        from lesionseg.experiments.fold_scores import FoldScores

        scores = FoldScores.read([job.folder for job in jobs])
        scores.write(folder)
    print(scores.render())
    print(f"Table:    {folder / 'folds.md'} (also .csv and .json), plot {folder / 'folds.png'}")
    print(f"Images:   {folder / 'scores.csv'}, masks in {folder / 'masks'}")
    print(f"Folds:    {folder / 'folds'}, each fold's run in {folder / 'fold_0'} and so on")
    return 0
