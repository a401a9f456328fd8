"""Cross-validation: a new model and Trainer for each fold; all images are scored."""

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
    """Return a job for each fold, in ``folder/fold_0`` and so on; masks go to ``folder/masks``.

    Args:
        folder: Folder of the whole cross-validation.
        fit: Arguments of ``lesionseg fit`` whose DataModule supports ``split="k-fold"``.
        num_folds: Number of folds, at least 2.
        epoch: Which epoch is tested; see :class:`~lesionseg.experiments.jobs.Job`.
        keep_checkpoints: Whether to keep the checkpoints of tested folds.

    Raises:
        ValueError: If there are fewer than two folds.

    Example:
        >>> from pathlib import Path
        >>> from lesionseg.experiments.cross_validation import fold_jobs
        >>> jobs = fold_jobs(Path("out"), ["--config=asnet-isic2018"], num_folds=2)
        >>> [job.folder.name for job in jobs]
        ['fold_0', 'fold_1']
        >>> jobs[1].fit
        ['--config=asnet-isic2018', '--data.split=k-fold', '--data.num_folds=2', '--data.fold=1']
    """
    if num_folds < 2:
        raise ValueError(f"expected num_folds to be at least 2, got {num_folds}")
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
    """Copy the held-out ids of finished folds to ``folds/fold_0.txt`` and so on.

    Args:
        jobs: Jobs of :func:`fold_jobs`, finished or not.
    """
    for job in jobs:
        source = job.folder / "splits" / "test.txt"
        with suppress(FileNotFoundError), atomic_path(_fold_list(job)) as unfinished:
            shutil.copyfile(source, unfinished)


def _fold_list(job: Job) -> Path:
    return job.folder.parent / "folds" / f"{job.folder.name}.txt"
