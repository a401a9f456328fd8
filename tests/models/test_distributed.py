"""Training and testing in two processes. Run as a script, this file is one such run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest_models import BUILDERS, tiny_data, tiny_trainer
from PIL import Image

from lesionseg.data.datamodules.base import BaseDataModule
from lesionseg.models import SegmentationModule

TEST_LENGTH = 5  # odd: the sampler repeats one image so that both processes have three
VAL_LENGTH = 7
FOLDERS = ("images", "masks")
LESION = Image.new("L", (32, 32))
LESION.paste(255, (8, 8, 24, 20))
NAMES = ("ASNet", "GANFCN", "MobileGAN", "SegAN")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")


def data():
    return tiny_data(train_length=8, val_length=VAL_LENGTH, test_length=TEST_LENGTH, batch_size=2)


def table_of(model: SegmentationModule):
    table = model.test_table
    return {"ids": list(table.ids), "counts": table.counts.tolist()}


def worker(name: str, folder: Path) -> None:
    """Fits for two epochs and tests; Lightning starts this script a second time for the other."""
    seen: list[list[str]] = [[], []]

    class Data(BaseDataModule):
        """Also notes which images this process trains on."""

        def __init__(self) -> None:
            super().__init__(size=(32, 32), batch_size=2, augmentation=[])
            self.inner = data()

        def build(self, role):
            return self.inner.build(role)

        def on_after_batch_transfer(self, batch, dataloader_idx):
            if self.trainer.training:
                seen[self.trainer.current_epoch].extend(batch["id"])
            return super().on_after_batch_transfer(batch, dataloader_idx)

    torch.manual_seed(0)
    model = BUILDERS[name]()
    trainer = tiny_trainer(folder, devices=2, strategy="ddp", max_epochs=2)
    trainer.fit(model, datamodule=Data())
    rank = trainer.global_rank
    torch.save(model.state_dict(), folder / f"{rank}.pt")
    trainer.save_checkpoint(folder / "fitted.ckpt")
    (scores,) = trainer.test(model, datamodule=Data(), verbose=False)
    (validation,) = trainer.validate(model, datamodule=Data(), verbose=False)
    scores |= {name: value for name, value in validation.items() if name != "val/loss"}
    report = {"seen": seen, "table": table_of(model), "scores": scores}
    (folder / f"{rank}.json").write_text(json.dumps(report))


def start(*command, cwd=None):
    """Runs a program of two processes; fails instead of hanging where they wait for each other."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the second process too
            stdout, stderr = process.communicate()
            pytest.fail(f"the processes wait for each other: {command}\n{stderr}")
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


@pytest.fixture(scope="module", params=NAMES)
def fitted(request, tmp_path_factory):
    """Name of a model and the folder that two processes left after fitting and testing it."""
    folder = tmp_path_factory.mktemp("distributed")
    result = start(__file__, request.param, folder)
    assert result.returncode == 0, result.stderr
    return request.param, folder


def reports(folder):
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
def test_both_processes_hold_the_same_trained_weights(fitted):
    name, folder = fitted
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))
    saved = torch.load(folder / "fitted.ckpt", weights_only=True)["state_dict"]
    torch.manual_seed(0)
    new = BUILDERS[name]().state_dict()
    assert first.keys() == second.keys() == saved.keys() == new.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different
    assert all(torch.equal(first[key], saved[key]) for key in first)
    assert sum(not torch.equal(first[key], new[key]) for key in first) > len(first) / 2  # trained


@pytest.mark.slow
def test_the_processes_share_the_images_and_shuffle_them_every_epoch(fitted):
    _, folder = fitted
    first, second = (report["seen"] for report in reports(folder))
    for epoch in range(2):
        assert len(first[epoch]) == len(second[epoch]) == 4
        assert len({*first[epoch], *second[epoch]}) == 8
    assert first[0] != first[1]


@pytest.mark.slow
def test_test_and_validation_score_each_image_once_and_as_one_process_does(fitted):
    name, folder = fitted
    first, second = reports(folder)
    assert len(first["table"]["ids"]) == len(set(first["table"]["ids"])) == TEST_LENGTH
    assert first == second | {"seen": first["seen"]}

    model = type(BUILDERS[name]()).load_from_checkpoint(folder / "fitted.ckpt", weights_only=True)
    (scores,) = tiny_trainer(folder).test(model, datamodule=data(), verbose=False)
    (validation,) = tiny_trainer(folder).validate(model, datamodule=data(), verbose=False)
    # the loss is a mean over batches, and batches differ
    scores |= {name: value for name, value in validation.items() if name != "val/loss"}
    single = table_of(model)
    by_id = [
        dict(zip(table["ids"], table["counts"], strict=True)) for table in (first["table"], single)
    ]
    assert by_id[0] == by_id[1]
    assert first["scores"] == pytest.approx(scores, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "launcher", "options"),
    [
        ("ASNet", (), ["--trainer.devices=2", "--trainer.strategy=ddp"]),
        ("MobileGAN", TORCHRUN, []),  # which says how many there are
    ],
)
def test_the_command_line_fits_and_tests_in_two_processes(model, launcher, options, tmp_path):
    """With all callbacks: the other process does not wait for what one of them does."""
    program = (*launcher, "-m", "lesionseg.cli")
    common = [
        "--trainer.accelerator=cpu",
        *options,
        "--trainer.enable_progress_bar=false",
        "--data=SyntheticDataModule",
        "--data.size=[32,32]",
        "--data.batch_size=2",
        "--data.train_length=8",
        "--data.val_length=4",
        f"--data.test_length={TEST_LENGTH}",
        "--trainer.logger.init_args.version=two",
    ]
    result = start(
        *(*program, "fit", f"--model={model}", "--trainer.max_epochs=2", *common), cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "two"
    assert sorted(path.name for path in (run / "overlays").iterdir()) == [
        "epoch-000.png",
        "epoch-001.png",
    ]
    # together: each saw half of the images
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 1
    assert last["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["completed"] == 2 * 2
    checkpoint = run / "checkpoints" / "best.ckpt"
    for command in ("test", "predict") if model == "ASNet" else ("test",):
        result = start(*program, command, f"--ckpt_path={checkpoint}", *common, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    tested = run / "test-synthetic-test"
    assert len((tested / "scores.csv").read_text().splitlines()) == 1 + TEST_LENGTH
    assert (tested / "overlays.png").stat().st_size > 0
    if model == "ASNet":
        assert len(list((tmp_path / "predictions" / "masks").iterdir())) == TEST_LENGTH


@pytest.mark.slow
def test_both_processes_refuse_images_that_were_trained_on(tmp_path):
    """Each by itself, before they speak to each other; the epoch before is one of two processes."""
    for number in range(4):
        name = f"ISIC_{number:07d}.png"
        for folder, picture in (("images", Image.new("RGB", (32, 32), "tan")), ("masks", LESION)):
            (tmp_path / folder).mkdir(exist_ok=True)
            picture.save(tmp_path / folder / name)
    common = [
        "--trainer.accelerator=cpu",
        "--trainer.devices=2",
        "--trainer.strategy=ddp",
        "--data=FolderDataModule",
        "--data.size=[32,32]",
        "--data.batch_size=2",
        "--trainer.logger.init_args.version=two",
    ]
    train = [f"--data.{part}_{what}={what}" for part in ("train", "val") for what in FOLDERS]
    fit = ["fit", "--model=ASNet", "--trainer.max_epochs=1", *common, *train]
    result = start("-m", "lesionseg.cli", *fit, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    checkpoint = tmp_path / "runs" / "two" / "checkpoints" / "last.ckpt"
    test = ["test", f"--ckpt_path={checkpoint}", *common]
    test += [f"--data.test_{what}={what}" for what in FOLDERS]
    result = start("-m", "lesionseg.cli", *test, cwd=tmp_path)
    assert result.returncode != 0
    assert "trained on 4 of the 4 test images" in result.stderr
    assert "Traceback" not in result.stderr


if __name__ == "__main__":
    worker(sys.argv[1], Path(sys.argv[2]))
