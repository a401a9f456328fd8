from lesionseg.evaluation.run_logger import RunLogger


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
