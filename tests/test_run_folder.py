"""Everything of a run lies in its own folder, whatever logs, and no run touches another's."""

import json
from pathlib import Path

import pytest
import yaml
from conftest_cli import TINY_FIT as FIT
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from lesionseg import Segmenter, SyntheticDataModule
from lesionseg.callbacks.last_checkpoint import LastCheckpoint
from lesionseg.cli import main as cli
from lesionseg.errors import LesionsegError
from lesionseg.run_folder import choose_run_folder, run_folder

OURS = {"class_path": "lesionseg.callbacks.csv_logger.RunLogger"}
WANDB = {"class_path": "WandbLogger", "init_args": {"save_dir": "runs", "project": "derm"}}
MLFLOW = {"class_path": "MLFlowLogger", "init_args": {"save_dir": "mlruns"}}


def in_runs(*loggers):
    return [logger | {"init_args": {"save_dir": "runs", "name": ""}} for logger in loggers]


LOGGERS = {
    "ours": (in_runs(OURS), "runs/version_*"),
    "csv": (in_runs({"class_path": "CSVLogger"}), "runs/version_*"),
    "tensorboard": (in_runs({"class_path": "TensorBoardLogger"}), "runs/version_*"),
    "two": (in_runs({"class_path": "TensorBoardLogger"}, OURS), "runs/version_*"),
    "none": (False, "runs/version_*"),
    "wandb": ([WANDB], "runs/derm/*"),
    "wandb and ours": ([WANDB, *in_runs(OURS)], "runs/version_*"),
    "mlflow": ([MLFLOW], "mlruns/*/*"),
}
WHOLE = {"config.yaml", "checkpoints", "splits", "overlays"}


def fit(*arguments):
    assert cli.main([*FIT, *arguments]) == 0


@pytest.fixture
def logger(request, tmp_path, monkeypatch):
    name = request.param
    for package in ("wandb", "mlflow"):
        if package in name:
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    for variable, value in (
        ("WANDB_MODE", "offline"),
        ("WANDB_SILENT", "true"),
        ("MLFLOW_ALLOW_FILE_STORE", "true"),
    ):
        monkeypatch.setenv(variable, value)
    yield LOGGERS[name]
    if "wandb" in name:
        import wandb

        wandb.finish()


@pytest.mark.parametrize("logger", LOGGERS, indirect=True)
def test_each_run_has_a_folder_of_its_own(logger):
    loggers, pattern = logger
    for rate in (0.25, 0.5):
        fit(f"--trainer.logger={json.dumps(loggers)}", f"--model.learning_rate={rate}")
        if "wandb" in json.dumps(loggers).lower():
            import wandb

            wandb.finish()  # the end of the process
    runs = [path.parent for path in Path().glob(f"{pattern}/config.yaml")]
    rates = [
        yaml.safe_load((run / "config.yaml").read_text())["model"]["init_args"]["learning_rate"]
        for run in runs
    ]
    assert sorted(rates) == [0.25, 0.5]
    for run in runs:
        assert {path.name for path in run.iterdir()} >= WHOLE
        assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
        assert (run / "splits" / "train.txt").read_text().count("\n") == 4
        assert (run / "overlays" / "epoch-000.png").stat().st_size > 0
        assert not (run / ".lock").exists()
    for name in (*WHOLE, ".lock"):
        assert len(list(Path().rglob(name))) == (0 if name == ".lock" else 2), name
    if any("RunLogger" in log["class_path"] for log in loggers or ()):
        assert all((run / "metrics.csv").stat().st_size > 0 for run in runs)
    if loggers == [MLFLOW]:
        from mlflow.tracking import MlflowClient

        client = MlflowClient("file:mlruns")
        ids = [found.experiment_id for found in client.search_experiments()]
        assert {run.parent.name for run in runs} <= set(ids)
        assert {run.info.run_id for run in client.search_runs(ids)} == {run.name for run in runs}


def test_without_the_program_it_is_that_of_the_checkpoints(tmp_path):
    def trainer(**arguments):
        made = Trainer(
            accelerator="cpu",
            max_epochs=1,
            default_root_dir=tmp_path,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **arguments,
        )
        data = SyntheticDataModule(2, 2, 2, size=(32, 32), batch_size=2, augmentation=[])
        made.fit(Segmenter("segan", {"width": 2}), data)
        return made

    logger = CSVLogger(tmp_path, name="log", version="one")
    assert run_folder(trainer(logger=logger)) == tmp_path / "log" / "one"
    assert (tmp_path / "log" / "one" / "splits" / "val.txt").exists()
    for given, expected in (("mine/checkpoints", "mine"), ("other", "other")):
        saves = ModelCheckpoint(dirpath=tmp_path / given)
        assert run_folder(trainer(logger=logger, callbacks=[saves])) == tmp_path / expected
        assert (tmp_path / expected / "splits" / "val.txt").exists()
    assert run_folder(trainer(logger=False)) is None  # Lightning's folder there is that of all runs
    assert not (tmp_path / "splits").exists()
    assert run_folder(trainer(logger=False, callbacks=[ModelCheckpoint(dirpath=tmp_path / "a")]))
    assert choose_run_folder(trainer(fast_dev_run=True)) is None


def test_a_checkpoint_folder_that_is_given_is_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit("--checkpoint.dirpath=mine/checkpoints", "--trainer.logger=false")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == WHOLE
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}


def test_a_run_without_logger_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def refuse(self, folder):
        assert folder.is_dir()
        raise LesionsegError("no")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LastCheckpoint, "_lock_folder", refuse)
    assert cli.main([*FIT, "--trainer.logger=false"]) == 1
    assert list(tmp_path.iterdir()) == []
