"""``lesionseg cross-validate``: a fresh model and Trainer for each fold, scored on all images."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lesionseg.evaluation.claim import claimed
from lesionseg.evaluation.jobs import Job, run_jobs
from lesionseg.files import atomic_path

#: What stands behind the options below goes to ``lesionseg fit``.
PASSES_ON = True


def fold_jobs(
    folder: Path,
    fit: Sequence[str],
    num_folds: int = 5,
    epoch: Literal["last", "best"] = "last",
    keep_checkpoints: bool = True,
) -> list[Job]:
    """One job for each fold, in ``folder/fold_0`` and so on; the masks go to ``folder/masks``.

    Args:
        folder: Of the whole cross-validation.
        fit: Arguments of ``lesionseg fit`` whose DataModule knows ``split="k-fold"``.
        num_folds: Number of folds, at least 2.
        epoch: See :class:`~lesionseg.evaluation.jobs.Job`.
        keep_checkpoints: See there.

    Raises:
        ValueError: There are fewer than two folds.
    """
    if num_folds < 2:
        raise ValueError(f"num_folds must be at least 2, got {num_folds}")
    masks = [f"--report.mask_directory={folder / 'masks'}"]
    return [
        Job(
            folder / f"fold_{fold}",
            [
                *fit,
                "--data.split=k-fold",
                f"--data.num_folds={num_folds}",
                f"--data.fold={fold}",
            ],
            {".": masks},
            epoch,
            keep_checkpoints,
        )
        for fold in range(num_folds)
    ]


def keep_fold_lists(jobs: Sequence[Job]) -> None:
    """Copy the held-out ids of finished folds to ``folds/fold_0.txt`` and so on."""
    for job in jobs:
        source = job.folder / "splits" / "test.txt"
        with suppress(FileNotFoundError), atomic_path(_fold_list(job)) as unfinished:
            shutil.copyfile(source, unfinished)


def _fold_list(job: Job) -> Path:
    return job.folder.parent / "folds" / f"{job.folder.name}.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg cross-validate`` to its parser."""
    parser.usage = (
        "lesionseg cross-validate [--num_folds N] [--output DIR] [--jobs N] [--epoch last|best]\n"
        "                                [what stands behind lesionseg fit]"
    )
    parser.description = (
        "Train a fresh model on all folds but one, for each fold in turn, and score every image "
        "with the model that never saw it. Everything else goes to lesionseg fit, such as "
        "--config RECIPE --data.root DIR; the DataModule must know folds (ISICDataModule, "
        "FolderDataModule). After an interruption the same command goes on where it stopped."
    )
    parser.add_argument("--num_folds", type=int, default=5, metavar="N", help="default: 5")
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
        help="folds side by side (default: one for each GPU, or for each of up to four CPU cores)",
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
        LesionsegError: A fold failed, or the output folder holds another cross-validation.
    """
    folder: Path = options.output.resolve()
    jobs = fold_jobs(folder, options.rest, options.num_folds, options.epoch)
    settings = {"fit": options.rest, "num_folds": options.num_folds, "epoch": options.epoch}
    with claimed(folder, settings, "cross_validation.json"):
        run_jobs(jobs, options.jobs, "cross-validate", lambda job: keep_fold_lists([job]))
        keep_fold_lists(jobs)

        from lesionseg.evaluation.fold_scores import FoldScores

        scores = FoldScores.read([job.folder for job in jobs])
        scores.write(folder)
    print(scores.render())
    print(f"Table:    {folder / 'folds.md'} (also .csv and .json), plot {folder / 'folds.png'}")
    print(f"Images:   {folder / 'scores.csv'}, masks in {folder / 'masks'}")
    print(f"Folds:    {folder / 'folds'}, each fold's run in {folder / 'fold_0'} and so on")
    return 0
