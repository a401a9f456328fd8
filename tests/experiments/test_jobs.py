"""Jobs with a stand-in for the training; the real one is in test_cross_validation.py."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
from tqdm import tqdm

from lesionseg.errors import LesionsegError
from lesionseg.experiments import jobs as jobs_file
from lesionseg.experiments.jobs import Job

STAND_IN = """
import json, os, sys, time
from pathlib import Path
folder = Path(sys.argv[-1])
job = json.loads((folder / "job.json").read_text())
words = dict(word.split("=") for word in job["fit"])
gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
(folder / "began").write_text(f"{os.getpid()} {time.time()} {gpu}")
if "seconds" in words:
    time.sleep(float(words["seconds"]))
if "say" in words:
    print("lesionseg: error: " + words["say"].replace("_", " "))
    sys.exit(1)
for name in job["tests"]:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "scores.csv").write_text("done")
"""


run_jobs = partial(jobs_file.run_jobs, program="no.module:main")  # which the stand-in replaces


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    popen = subprocess.Popen

    def start(command, **options):
        return popen([sys.executable, "-c", STAND_IN, command[-1]], **options)

    monkeypatch.setattr(jobs_file.subprocess, "Popen", start)
    monkeypatch.setattr(jobs_file, "_gpus", lambda: 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def began(job):
    return (job.folder / "began").read_text().split()


def test_all_run_and_what_is_done_is_not_done_again(tmp_path):
    made = [Job(tmp_path / name, ["x=1"], {"one": (), "two": ()}) for name in "abc"]
    finished = []
    run_jobs(made, 2, on_done=finished.append)
    assert sorted(job.folder.name for job in finished) == ["a", "b", "c"]
    assert all(job.done for job in made)
    before = [began(job) for job in made]
    (made[1].folder / "two" / "scores.csv").unlink()
    run_jobs(made, 2)
    assert [began(job) == old for job, old in zip(made, before, strict=True)] == [True, False, True]


def test_they_run_side_by_side_but_no_more_than_asked(tmp_path):
    made = [Job(tmp_path / name, ["seconds=0.5"]) for name in "abcd"]
    run_jobs(made, 2)
    starts = sorted(float(began(job)[1]) for job in made)
    assert starts[1] - starts[0] < 0.45
    assert starts[2] - starts[0] > 0.45


def test_each_gets_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    made = [Job(tmp_path / name, ["seconds=0.4"]) for name in "ab"]
    run_jobs(made, 2)
    assert {began(job)[2] for job in made} == {"4", "6"}


def test_a_failure_is_told_in_the_jobs_own_words_and_ends_the_others(tmp_path):
    slow = Job(tmp_path / "slow", ["seconds=60"])
    bad = Job(tmp_path / "bad", ["seconds=1", "say=there_is_no_such_data."])
    with pytest.raises(LesionsegError) as error:
        run_jobs([slow, bad], 2)
    message = str(error.value)
    assert "there is no such data. Its log is" in message
    assert str(bad.log) in message
    with pytest.raises(ProcessLookupError):
        os.kill(int(began(slow)[0]), 0)


def test_a_job_that_ends_without_scores_has_failed(tmp_path):
    job = Job(tmp_path / "job", ["x=1"], {"a": ()})
    job.folder.mkdir()
    (job.folder / "a").write_text("a file where its folder should be")
    with pytest.raises(LesionsegError, match="exit code"):
        run_jobs([job], 1)


def test_less_than_one_side_by_side_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        run_jobs([Job(tmp_path, [])], 0)


def test_a_job_is_written_as_plain_json(tmp_path):
    Job(tmp_path / "job", ("--x", "1"), {"a": ("--y",)}, "best", False).write()
    assert json.loads((tmp_path / "job" / "job.json").read_text()) == {
        "fit": ["--x", "1"],
        "tests": {"a": ["--y"]},
        "epoch": "best",
        "keep_checkpoints": False,
    }


def test_the_bar_moves_within_a_run_and_says_where_the_logs_are(tmp_path, capsys):
    job = Job(tmp_path / "job", ["seconds=0.8"])
    job.folder.mkdir()
    (job.folder / jobs_file.PROGRESS).write_text("0.5\n")
    moved = []
    update = tqdm.update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tqdm, "update", lambda bar, n: moved.append(n) or update(bar, n))
        run_jobs([job], 1, "cross-validate")
    assert moved[0] == pytest.approx(0.5 * 0.95)
    assert sum(moved) == pytest.approx(1)
    said = capsys.readouterr().err
    assert f"of the first run {job.log}" in said
    assert "1.0/1 runs" in said
