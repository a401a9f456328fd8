"""How many epochs fit into a time: every model's step is measured on the machine at hand."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lesionseg.errors import LesionsegError
from lesionseg.evaluation.jobs import Job, default_parallel, run_jobs
from lesionseg.files import atomic_path

_STEPS = 12  # timed of each model


def plan_epochs(
    folder: Path,
    groups: Mapping[tuple[str, str], Sequence[Job]],
    minutes: float,
    parallel: int | None = None,
) -> int:
    """The largest number of epochs, the same for all jobs, that takes about so many minutes.

    A first run times a few steps of one job of each group, side by side as the jobs will run, and
    writes ``plan.json``; a later one takes the epochs from there.

    Args:
        folder: Of the results.
        groups: Jobs that take equally long by recipe and row, such as the folds of a model.
        minutes: For everything, this measurement included.
        parallel: See :func:`~lesionseg.evaluation.jobs.run_jobs`.

    Raises:
        LesionsegError: Not even one epoch fits; the message says how many minutes would do.
    """
    path = folder / "plan.json"
    if path.is_file():
        planned: int = json.loads(path.read_text(encoding="utf-8"))["epochs"]
        return planned
    began = time.monotonic()
    parallel = default_parallel() if parallel is None else parallel
    trials = {key: _trial(folder.joinpath("plan", *key), jobs[0]) for key, jobs in groups.items()}
    run_jobs(list(trials.values()), parallel, "time the steps")
    measured = time.monotonic() - began
    steps = sum(_trial_seconds(one.folder) for one in trials.values())
    # of one job: imports, reading of folders, checkpoints
    startup = max(0.0, measured * parallel - steps) / len(trials)
    epochs_of = {
        key: _seconds(trials[key].folder, "fit") * len(jobs) for key, jobs in groups.items()
    }
    beside = {
        key: (startup + _seconds(trials[key].folder, "test") * len(jobs[0].tests)) * len(jobs)
        for key, jobs in groups.items()
    }
    shutil.rmtree(folder / "plan")  # what counts is in plan.json
    epoch, fixed = sum(epochs_of.values()), sum(beside.values())
    available = minutes * 60 * parallel
    epochs = math.floor((available - measured * parallel - fixed) / epoch)
    if epochs < 1:
        least = math.ceil((measured * parallel + fixed + epoch) / parallel / 60)
        raise LesionsegError(
            f"one epoch of every run takes {least} minutes here; give --minutes {least} or more, "
            "--rows for fewer rows, or --budget quick."
        )
    with atomic_path(path) as unfinished:
        content = {"epochs": epochs, "minutes": minutes, "parallel": parallel}
        seconds = {
            " ".join(key): {"an_epoch": epochs_of[key], "beside": beside[key]} for key in groups
        }
        unfinished.write_text(
            json.dumps(content | {"seconds": seconds}, indent=2) + "\n", encoding="utf-8"
        )
    return epochs


def _trial(folder: Path, job: Job) -> Job:
    """A few steps of a job's fit and of its first test."""
    timer = [
        "--trainer.callbacks+=lesionseg.evaluation.step_timer.StepTimer",
        f"--trainer.callbacks.directory={folder}",
    ]
    short = [f"--trainer.limit_train_batches={_STEPS}", "--trainer.max_epochs=2"]
    name, test = next(iter(job.tests.items()))
    few = [f"--trainer.limit_test_batches={_STEPS}", "--report.images=0"]
    tests = {name: [one for one in test if "mask_directory" not in one] + few}
    return replace(
        job, folder=folder, fit=[*job.fit, *short, *timer], tests=tests, keep_checkpoints=False
    )


def _read(folder: Path, stage: str) -> tuple[float, int]:
    content = json.loads((folder / f"{stage}.json").read_text(encoding="utf-8"))
    return content["step_seconds"], content["steps"]


def _seconds(folder: Path, stage: str) -> float:
    """Of an epoch, or of a whole test."""
    step, steps = _read(folder, stage)
    return step * steps


def _trial_seconds(folder: Path) -> float:
    """What a trial's steps themselves took."""
    fit, fit_steps = _read(folder, "fit")
    test, test_steps = _read(folder, "test")
    return 2 * fit * min(_STEPS, fit_steps) + test * min(_STEPS, test_steps)
