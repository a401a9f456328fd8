"""Cross-validation: a new model and Trainer for each fold, scored on all images."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lesionseg.experiments.jobs import Job
from lesionseg.files import atomic_path


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
        epoch: See :class:`~lesionseg.experiments.jobs.Job`.
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
