import json

import pytest

from lesionseg.errors import LesionsegError
from lesionseg.evaluation import plan as plan_file
from lesionseg.evaluation.jobs import Job
from lesionseg.evaluation.plan import plan_epochs

STEP, STEPS, TEST_STEP, TEST_STEPS, STARTUP = 0.5, 100, 0.1, 30, 8.0


@pytest.fixture
def clock(monkeypatch):
    """Stands in for the trials: each takes its steps and a start of eight seconds."""
    now = [0.0]

    def run_jobs(jobs, parallel, title):
        for job in jobs:
            for stage, step, steps in (("fit", STEP, STEPS), ("test", TEST_STEP, TEST_STEPS)):
                path = job.folder / f"{stage}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps({"step_seconds": step, "steps": steps}))
            now[0] += (STARTUP + 2 * 12 * STEP + 12 * TEST_STEP) / parallel

    monkeypatch.setattr(plan_file, "run_jobs", run_jobs)
    monkeypatch.setattr(plan_file.time, "monotonic", lambda: now[0])


def groups(folder, folds):
    return {
        ("common", row): [Job(folder / row / str(fold), ["--x"]) for fold in range(folds)]
        for row in ("a", "b")
    }


@pytest.mark.parametrize("parallel", [1, 2])
def test_the_epochs_fill_the_time(clock, tmp_path, parallel):
    minutes, folds = 60, 5
    epochs = plan_epochs(tmp_path, groups(tmp_path, folds), minutes, parallel)
    trials = 2 * (STARTUP + 24 * STEP + 12 * TEST_STEP)
    one = STARTUP + TEST_STEP * TEST_STEPS
    per_epoch = 2 * folds * STEP * STEPS
    taken = trials + 2 * folds * one + epochs * per_epoch
    assert taken <= minutes * 60 * parallel < taken + per_epoch


def test_a_second_run_keeps_the_plan(clock, tmp_path):
    first = plan_epochs(tmp_path, groups(tmp_path, 2), 20, 1)
    assert plan_epochs(tmp_path, groups(tmp_path, 5), 3, 1) == first
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["epochs"] == first
    assert plan["seconds"]["common a"]["an_epoch"] == pytest.approx(2 * STEP * STEPS)


def test_too_little_time_says_how_much_would_do(clock, tmp_path):
    with pytest.raises(LesionsegError, match="--minutes 11 or more"):
        plan_epochs(tmp_path / "a", groups(tmp_path, 5), 5, 1)
    assert plan_epochs(tmp_path / "b", groups(tmp_path, 5), 11, 1) == 1


def test_a_trial_is_short_and_leaves_no_masks(clock, tmp_path):
    job = Job(tmp_path / "row", ["--config=x"], {"one": ["--report.mask_directory=y"], "two": []})
    trial = plan_file._trial(tmp_path / "trial", job)
    assert trial.fit[0] == "--config=x"
    assert list(trial.tests) == ["one"]
    assert not any("mask_directory" in one for one in trial.tests["one"])
    assert not trial.keep_checkpoints
