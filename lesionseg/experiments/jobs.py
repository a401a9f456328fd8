"""Trainings with their tests, each in its own process and folder, several at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lesionseg.errors import LesionsegError
from lesionseg.files import atomic_path

_ERROR = re.compile(r"^lesionseg: error: (.*)$", re.MULTILINE)
_POLL_SECONDS = 0.2
_FIT_SHARE = 0.95  # approximate share of the fit in the time of a job; the rest are its tests
PROGRESS = "progress.txt"
"""The file in a job's folder with the finished fraction of its fit."""
_TERMINATE_SECONDS = 10.0


@dataclass(frozen=True)
class Job:
    """A ``lesionseg fit`` and the tests of the trained model.

    Attributes:
        folder: Folder of ``log.txt``, ``config.yaml``, ``metrics.csv``, ``splits``,
            ``checkpoints`` and, for each test, ``scores.csv``, ``scores.json``, ``overlays.png``.
        fit: Arguments of ``lesionseg fit``.
        tests: Arguments of ``lesionseg test``, by the name of a subfolder of the results; "." is
            the folder itself. Trainer and data are those of the fit unless an argument changes
            them.
        epoch: Which epoch is tested: the ``last``, which no validation image has selected, or the
            ``best`` by validation Jaccard.
        keep_checkpoints: Whether to keep the checkpoints once all tests are done.

    Example:
        >>> from pathlib import Path
        >>> from lesionseg.experiments.jobs import Job
        >>> job = Job(Path("out/unet"), ["--config=comparison-isic2018", "--model=Segmenter"])
        >>> job.done, job.log.name
        (False, 'log.txt')
    """

    folder: Path
    fit: Sequence[str]
    tests: Mapping[str, Sequence[str]] = field(default_factory=lambda: {".": ()})
    epoch: Literal["last", "best"] = "last"
    keep_checkpoints: bool = True

    @property
    def done(self) -> bool:
        """Whether every test has scores."""
        return all((self.folder / name / "scores.csv").is_file() for name in self.tests)

    @property
    def log(self) -> Path:
        """The file with the output of the job's process."""
        return self.folder / "log.txt"

    def write(self) -> None:
        """Write ``job.json`` for :mod:`lesionseg.experiments.worker`."""
        content = {
            "fit": list(self.fit),
            "tests": {name: list(arguments) for name, arguments in self.tests.items()},
            "epoch": self.epoch,
            "keep_checkpoints": self.keep_checkpoints,
        }
        with atomic_path(self.folder / "job.json") as unfinished:
            unfinished.write_text(json.dumps(content, indent=2), encoding="utf-8")


def default_parallel() -> int:
    """Return the default number of jobs at a time: one for each GPU, else for up to four cores."""
    return _gpus() or min(4, os.cpu_count() or 1)


def run_jobs(
    jobs: Sequence[Job],
    parallel: int | None = None,
    title: str = "train",
    on_done: Callable[[Job], None] = lambda job: None,
    *,
    program: str,
) -> None:
    """Run the jobs that are not done yet; an interrupted job is resumed.

    With GPUs each job takes the next GPU; without, the jobs share the CPU's cores. A progress bar
    on stderr counts the jobs.

    Args:
        jobs: Jobs in the order in which they start; their folders differ.
        parallel: Number of jobs at a time; None for :func:`default_parallel`.
        title: Title of the progress bar.
        on_done: Called after each job that succeeded.
        program: Function that runs a command and returns its exit code, as
            ``package.module:function``.

    Raises:
        LesionsegError: If a job fails; the message is that of the job and names its log. Running
            jobs are ended, and resume from their last epoch the next time.
        ValueError: If ``parallel`` is less than 1.
    """
    from tqdm import tqdm

    parallel = default_parallel() if parallel is None else parallel
    if parallel < 1:
        raise ValueError(f"expected the number of jobs to be at least 1, got {parallel}")
    waiting = [job for job in jobs if not job.done]
    running: dict[int, tuple[Job, subprocess.Popen[bytes]]] = {}
    # a terminal is updated all the time, a file every half minute
    style = {} if sys.stderr.isatty() else {"mininterval": 30.0}
    done = len(jobs) - len(waiting)
    with tqdm(
        total=len(jobs),
        initial=done,
        desc=title,
        bar_format="{l_bar}{bar}| {n:.1f}/{total} runs [{elapsed}<{remaining}{postfix}]",
        **style,
    ) as bar:
        if waiting:
            bar.write(
                f"The log of each run is {waiting[0].log.name} in its folder, of the first run "
                f"{waiting[0].log}",
                file=sys.stderr,
            )
        try:
            while waiting or running:
                while waiting and len(running) < parallel:
                    slot = next(free for free in range(parallel) if free not in running)
                    job = waiting.pop(0)
                    running[slot] = (job, _start(job, slot, parallel, program))
                names = ", ".join(_name(job) for job, _ in running.values())
                bar.set_postfix_str(names, refresh=False)
                part = sum(_fit_done(job) for job, _ in running.values())
                bar.update(done + _FIT_SHARE * part - bar.n)
                time.sleep(_POLL_SECONDS)
                for slot, (job, process) in list(running.items()):
                    if (code := process.poll()) is None:
                        continue
                    del running[slot]
                    if code or not job.done:
                        raise LesionsegError(_failure(job, code))
                    on_done(job)
                    done += 1
            bar.update(done - bar.n)
        except KeyboardInterrupt:
            bar.write("The same command resumes from here.", file=sys.stderr)
            raise
        finally:
            _end([process for _, process in running.values()])


def _fit_done(job: Job) -> float:
    """Return the finished fraction of a job's fit, from 0 to 1."""
    try:
        return float((job.folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not started
        return 0.0


def _name(job: Job) -> str:
    return "/".join(job.folder.parts[-2:])


def _start(job: Job, slot: int, parallel: int, program: str) -> subprocess.Popen[bytes]:
    job.write()
    threads = max(1, (os.cpu_count() or 1) // parallel)
    environment = {"OMP_NUM_THREADS": str(threads), "TQDM_MININTERVAL": "30"} | os.environ
    if gpus := _visible_gpus():
        environment["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    with job.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lesionseg.experiments.worker", program, str(job.folder)],
            stdin=subprocess.PIPE,  # closes whenever this process ends
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches this process only, which ends the jobs
        )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _failure(job: Job, code: int) -> str:
    text = ""
    with suppress(OSError):
        text = job.log.read_text(encoding="utf-8", errors="replace")
    found = _ERROR.findall(text)
    reason = found[-1].rstrip(".") if found else f"it ended with exit code {code}"
    return f"{_name(job)} failed: {reason}. Its log is {job.log}; the same command resumes it."


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _visible_gpus() -> list[str]:
    if named := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return named.split(",")
    return [str(index) for index in range(_gpus())]
