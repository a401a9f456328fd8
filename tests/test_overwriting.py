"""No command overwrites what it reads, or what this package did not write."""

from pathlib import Path

import numpy as np
import pytest
from conftest_corner import Bright, write_corner
from lightning.pytorch import Trainer
from PIL import Image

from lesionseg.cli import main as cli
from lesionseg.models import Segmenter
from lesionseg.networks import register, registry

FOLDERS = ["--data=FolderDataModule", "--trainer.accelerator=cpu", "--trainer.logger=false"]
QUIET = ["--trainer.enable_progress_bar=false"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    register("bright-overwriting", Bright)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(Segmenter("bright-overwriting", size=(32, 48)))
    path = tmp_path_factory.mktemp("checkpoint") / "bright.ckpt"
    trainer.save_checkpoint(path)
    yield str(path)
    del registry._REGISTERED["bright-overwriting"]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with two images, and their true masks named as results are."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write_corner(tmp_path / "images" / f"{name}.png", (30, 44))
        mask = tmp_path / "masks" / f"{name}_segmentation.png"
        mask.parent.mkdir(exist_ok=True)
        Image.fromarray(np.eye(30, 44) > 0).save(mask)
    return tmp_path


def content():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def refused(capsys, *arguments):
    before = content()
    assert cli.main(list(arguments)) == 1
    assert content() == before
    return capsys.readouterr().err


def test_segment_beside_true_masks(data, checkpoint, capsys):
    for mask in (data / "masks").iterdir():
        mask.rename(data / "images" / mask.name)
    command = ["segment", "images", f"--model={checkpoint}", "--device=cpu"]
    said = refused(capsys, *command, "--output=images")
    assert "2 files that lesionseg did not write: " in said
    assert "a_segmentation.png" in said
    assert cli.main([*command, "--output=out"]) == 0
    assert cli.main([*command, "--output=out"]) == 0  # its own results it writes again
    assert cli.main([*command, "--output=images", "--overwrite"]) == 0


def test_predict_into_the_data_folder(data, checkpoint, capsys):
    command = ["predict", f"--ckpt_path={checkpoint}", *FOLDERS, *QUIET]
    command += ["--data.predict_images=images", "--output.overlays=false"]
    said = refused(capsys, *command, "--output.directory=.")
    assert "a_segmentation.png" in said
    assert "--output.overwrite true" in said
    assert cli.main([*command, "--output.directory=out", "--output.probabilities=true"]) == 0
    assert cli.main([*command, "--output.directory=out", "--output.probabilities=true"]) == 0
    assert cli.main([*command, "--output.directory=.", "--output.overwrite=true"]) == 0
    for place in ("masks/a_segmentation.png", "submission.zip", "probabilities/b_probability.png"):
        (data / "out" / place).write_text("a diary")
        said = refused(capsys, *command, "--output.directory=out", "--output.probabilities=true")
        assert place in said
        (data / "out" / place).unlink()


def test_test_over_what_it_scores(data, checkpoint, capsys):
    command = ["test", f"--ckpt_path={checkpoint}", *FOLDERS, *QUIET, "--report.directory=report"]
    command += ["--data.test_images=images", "--data.test_masks=masks"]
    over = [*command, "--report.mask_directory=masks"]
    assert "what this command reads" in refused(capsys, *over)
    assert "what this command reads" in refused(capsys, *over, "--report.overwrite=true")
    assert cli.main([*command, "--report.mask_directory=out"]) == 0
    assert cli.main([*command, "--report.mask_directory=out"]) == 0
    for name in ("scores.csv", "scores.json", "overlays.png"):
        kept = (data / "report" / name).read_bytes()
        (data / "report" / name).write_text("a diary")
        assert name in refused(capsys, *command)
        (data / "report" / name).write_bytes(kept)
    (data / "report" / "scores.csv").write_text("a diary")
    assert cli.main([*command, "--report.overwrite=true"]) == 0


def test_tables_pages_and_pictures(data, capsys):
    for name in ("a", "b"):
        (data / "masks" / f"{name}_segmentation.png").rename(
            data / "masks" / f"ISIC_000000{'ab'.index(name)}_segmentation.png"
        )
    score = ["score", "masks", "masks", "--csv"]
    assert cli.main([*score, "s.csv"]) == 0
    compare = ["compare", "s.csv", "s.csv", "--plot"]
    inspect = ["inspect", "--data", "images", "--html"]
    sheet = ["inspect", "--data", "images", "--augment", "horizontal_flip", "--output"]
    for command, name in (
        (score, "s.csv"),
        (compare, "p.png"),
        (compare, "p.svg"),
        (compare, "p.pdf"),
        (inspect, "i.html"),
        (sheet, "sheet.png"),
        (sheet, "sheet.jpg"),
    ):
        assert cli.main([*command, name]) == 0
        assert cli.main([*command, name]) == 0
        other = data / f"diary{name[name.index('.') :]}"
        other.write_text("a diary")
        said = refused(capsys, *command, other.name)
        assert f"1 file that lesionseg did not write: {other.name}" in said
        assert cli.main([*command, other.name, "--overwrite"]) == 0
        other.unlink()
    for command, name in (
        (score, "masks/ISIC_0000000_segmentation.png"),
        (compare, "s.csv"),
        (sheet, "images/a.png"),
    ):
        assert "what this command reads" in refused(capsys, *command, name, "--overwrite")


def test_export_over_another_file(data, checkpoint, capsys):
    (data / "model.onnx").write_bytes(b"another model")
    said = refused(capsys, "export", checkpoint, "--output=model.onnx")
    assert "model.onnx" in said


def test_cross_validation_in_a_folder_of_other_files(data, capsys):
    said = refused(capsys, "cross-validate", "--output=.", "--data=FolderDataModule")
    assert "holds other files (images, masks) and no cross_validation.json" in said
