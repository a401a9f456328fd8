import csv

import pytest

from lesionseg.callbacks.csv_logger import RunLogger


def write(folder, value):
    logger = RunLogger(folder, name="", version="run")
    logger.log_metrics({"value": value}, step=0)
    logger.save()


def test_earlier_metrics_are_kept(tmp_path):
    for value in (1, 2, 3):
        write(tmp_path, value)
    run = tmp_path / "run"
    kept = {path.name: path.read_text().split()[-1] for path in run.glob("metrics*.csv")}
    assert {name: line.split(",") for name, line in kept.items()} == {
        "metrics-1.csv": ["0", "1"],
        "metrics-2.csv": ["0", "2"],
        "metrics.csv": ["0", "3"],
    }


def log(logger, *rows):
    for step, row in enumerate(rows):
        logger.log_metrics(row, step)
        logger.save()


def epochs(run):
    with (run / "metrics.csv").open() as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def train(*numbers):
    return [{"train/loss": 0.5, "epoch": number} for number in numbers]


@pytest.mark.parametrize("tail", ["", "3,12,0."])  # of a row that was being written
def test_a_resumed_fit_has_each_epoch_once(tmp_path, tail):
    run = tmp_path / "run"
    rate = {"rate": 0.1}  # tells no epoch
    log(RunLogger(tmp_path, name="", version="run"), *train(0, 0), rate, *train(1, 1), rate)
    log(RunLogger(tmp_path, name="", version="other"), *train(5))
    with (run / "metrics.csv").open("a") as file:
        file.write(tail)
    resumed = RunLogger(tmp_path, name="", version="run")
    resumed.resume(1)
    assert epochs(run) == ["0", "0"]
    log(resumed, *train(1), {"val/loss": 0.5, "epoch": 1}, *train(2))
    assert epochs(run) == ["0", "0", "1", "1", "2"]
    assert [path.name for path in run.iterdir()] == ["metrics.csv"]


def test_resuming_at_the_end_keeps_every_row(tmp_path):
    log(RunLogger(tmp_path, name="", version="run"), *train(0, 1), {"rate": 0.1}, *train(1))
    RunLogger(tmp_path, name="", version="run").resume(2)
    assert epochs(tmp_path / "run") == ["0", "1", "", "1"]


def test_resuming_where_nothing_was_logged_or_a_test_has_tested(tmp_path):
    logger = RunLogger(tmp_path, name="", version="new")
    logger.resume(1)
    log(logger, *train(1))
    assert epochs(tmp_path / "new") == ["1"]
    log(RunLogger(tmp_path, name="", version="tested"), {"test/jaccard": 0.5, "epoch": 0})
    logger = RunLogger(tmp_path, name="", version="tested")
    logger.resume(1)
    log(logger, *train(1))
    assert epochs(tmp_path / "tested") == ["1"]
    assert (tmp_path / "tested" / "metrics-1.csv").exists()
