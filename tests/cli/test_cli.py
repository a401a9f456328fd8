"""The whole path through the real command line, small."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import yaml
from conftest_cli import TINY, lesionseg, one_sentence
from PIL import Image

from lesionseg.cli import main as cli

FIT = ["fit", *TINY, "--trainer.max_epochs=1", "--trainer.logger.init_args.version=tiny"]


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A folder in which ASNet was fitted through the command line."""
    folder = tmp_path_factory.mktemp("fitted")
    result = lesionseg(*FIT, "--model=ASNet", "--model.optimizer=adamw", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="session")
def checkpoint(fitted):
    return fitted / "runs" / "tiny" / "checkpoints" / "best.ckpt"


def test_fit_leaves_checkpoints_logs_overlays_configuration_and_splits(fitted):
    run = fitted / "runs" / "tiny"
    for name in (
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics.csv",
        "overlays/epoch-000.png",
        "config.yaml",
        "splits/train.txt",
    ):
        assert (run / name).stat().st_size > 0, name
    assert "val/jaccard" in (run / "metrics.csv").read_text().splitlines()[0]


def test_test_needs_only_the_checkpoint_and_the_data(fitted, checkpoint):
    result = lesionseg(
        "test", *TINY, f"--ckpt_path={checkpoint}", "--report.directory=out", cwd=fitted
    )
    assert result.returncode == 0, result.stderr
    for name in ("accuracy", "sensitivity", "specificity", "jaccard", "threshold_jaccard", "dice"):
        assert name in result.stdout
    assert len((fitted / "out" / "scores.csv").read_text().splitlines()) == 1 + 3
    assert json.loads((fitted / "out" / "scores.json").read_text())
    assert Image.open(fitted / "out" / "overlays.png").width > 256


def test_a_checkpoint_brings_its_arguments_and_the_command_line_wins(fitted, checkpoint):
    data = [one for one in TINY if "size=" not in one]
    arguments = ["test", *data, f"--ckpt_path={checkpoint}"]
    result = lesionseg(*arguments, "--model.threshold=0.25", "--print_config", cwd=fitted)
    assert result.returncode == 0, result.stderr
    model = yaml.safe_load(result.stdout)["model"]
    assert model["class_path"].endswith("ASNet")
    assert model["init_args"]["size"] == [32, 32]
    assert model["init_args"]["optimizer"] == "adamw"
    assert model["init_args"]["threshold"] == 0.25
    result = lesionseg(*arguments, "--report.directory=by_size", cwd=fitted)
    assert result.returncode == 0, result.stderr
    with (fitted / "by_size" / "scores.csv").open() as file:
        for row in csv.DictReader(file):
            assert sum(int(row[name]) for name in ("tp", "fp", "fn", "tn")) == 32 * 32


def test_predict_writes_masks_maps_overlays_and_a_zip_that_the_official_scorer_takes(
    fitted, checkpoint
):
    out = fitted / "predicted"
    result = lesionseg(
        "predict",
        *TINY,
        f"--ckpt_path={checkpoint}",
        f"--output.directory={out}",
        "--output.probabilities=true",
        cwd=fitted,
    )
    assert result.returncode == 0, result.stderr
    masks = sorted((out / "masks").iterdir())
    assert len(masks) == 3
    for path in masks:
        assert path.name.endswith("_segmentation.png")
        mask = Image.open(path)
        assert mask.mode == "L"
        assert set(np.unique(np.asarray(mask))) <= {0, 255}
    assert len(list((out / "probabilities").iterdir())) == 3
    assert len(list((out / "overlays").iterdir())) == 3
    with zipfile.ZipFile(out / "submission.zip") as archive:
        assert sorted(archive.namelist()) == [path.name for path in masks]
    # the scorer wants the challenge's ids: rename, and score against itself
    truth = fitted / "truth"
    truth.mkdir()
    renamed = truth.parent / "renamed.zip"
    with zipfile.ZipFile(renamed, "w") as archive:
        for index, path in enumerate(masks):
            name = f"ISIC_{index:07d}_segmentation.png"
            (truth / name).write_bytes(path.read_bytes())
            archive.write(path, name)
    scored = lesionseg("score", truth, renamed, "--output=json", cwd=fitted)
    assert scored.returncode == 0, scored.stderr
    assert "jaccard" in scored.stdout
    from isic_challenge_scoring.segmentation import SegmentationScore

    unpacked = fitted / "unpacked"
    zipfile.ZipFile(renamed).extractall(unpacked)
    assert SegmentationScore.from_dir(truth, unpacked).overall == 1.0


@pytest.mark.slow
def test_test_averages_views(fitted, checkpoint):
    arguments = ["test", *TINY, f"--ckpt_path={checkpoint}", "--report.directory=views"]
    result = lesionseg(*arguments, "--test_time_augmentation=flips_and_rotations", cwd=fitted)
    assert result.returncode == 0, result.stderr
    assert "\nViews:    8 of each image, averaged\n" in result.stdout


@pytest.mark.slow
def test_predict_averages_views(fitted, checkpoint):
    for views, folders in (
        ("none", {"masks", "probabilities"}),
        ("flips", {"masks", "probabilities", "uncertainty"}),  # between the views
    ):
        result = lesionseg(
            "predict",
            *TINY,
            f"--ckpt_path={checkpoint}",
            f"--test_time_augmentation={views}",
            f"--output.directory={views}",
            "--output.probabilities=true",
            "--output.overlays=false",
            "--output.zip=false",
            cwd=fitted,
        )
        assert result.returncode == 0, result.stderr
        assert {path.name for path in (fitted / views).iterdir()} == folders


def test_segment_photographs(fitted, checkpoint):
    photographs = fitted / "photographs"
    photographs.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (70, 50, 3)), ("b.png", (41, 90, 3))):
        Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(photographs / name)
    result = lesionseg(
        "segment", photographs, f"--model={checkpoint}", "--output=masks", cwd=fitted
    )
    assert result.returncode == 0, result.stderr
    assert Image.open(fitted / "masks" / "a_segmentation.png").size == (50, 70)
    assert Image.open(fitted / "masks" / "b_overlay.png").size == (90, 41)


@pytest.mark.slow
def test_fit_resumes_from_its_last_checkpoint(fitted, checkpoint):
    last = checkpoint.with_name("last.ckpt")
    result = lesionseg(
        "fit",
        *TINY,
        "--model=ASNet",
        "--trainer.max_epochs=2",
        "--trainer.logger.init_args.version=resumed",
        f"--ckpt_path={last}",
        cwd=fitted,
    )
    assert result.returncode == 0, result.stderr
    overlays = sorted(path.name for path in (fitted / "runs/resumed/overlays").iterdir())
    assert overlays == ["epoch-001.png"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "extra"),
    [
        ("GANFCN", ["--model.network=smp:unet/resnet18", "--model.synthesizer_depth=5"]),
        ("MobileGAN", []),
        ("SegAN", ["--model.width=4", "--model.critic_width=4"]),
        ("Segmenter", ["--model.network=smp:unet/resnet18"]),
    ],
)
def test_other_models_fit_through_the_command_line(model, extra, tmp_path):
    result = lesionseg(*FIT, f"--model={model}", *extra, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs/tiny/checkpoints/best.ckpt").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "--config=asnet-isic2081"], ["asnet-isic2081", "asnet-isic2018"]),
        (["fit", "--model=ASNett", "--data=SyntheticDataModule"], ["ASNett"]),
        (["fit", "--model=ASNet", "--data=ISICDataModule", "--data.root=nowhere"], ["nowhere"]),
        (
            ["fit", "--model=Segmenter", "--model.network=unett", "--data=SyntheticDataModule"],
            ["unett"],
        ),
        (["test", "--ckpt_path=none.ckpt", "--data=SyntheticDataModule"], ["none.ckpt"]),
        (["test", "--model=ASNet", "--data=SyntheticDataModule"], ["test needs --ckpt_path"]),
        (
            ["predict", "--ckpt_path=last", "--model=ASNet", "--data=SyntheticDataModule"],
            ["predict needs --ckpt_path"],
        ),
        (["segment", "nowhere.jpg", "--model=x.ckpt", "--output=o"], ["nowhere.jpg"]),
        (["score", "nowhere", "nowhere"], ["nowhere"]),
        (["fitt"], ["fitt", "fit"]),
        (
            ["fit", "--model=ASNet", "--model.threshold=7", "--data=SyntheticDataModule"],
            ["threshold"],
        ),
    ],
)
def test_a_mistake_gives_one_sentence_and_leaves_nothing(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(arguments)
    except SystemExit as error:  # argparse's
        code = error.code
    assert code in (1, 2)
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    for word in words:
        assert word in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_photograph_is_named_and_what_is_done_stays(fitted, checkpoint):
    folder = fitted / "broken"
    folder.mkdir()
    Image.new("RGB", (64, 48), "tan").save(folder / "a.jpg")
    whole = (folder / "a.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(whole[: len(whole) // 2])
    result = lesionseg("segment", folder, f"--model={checkpoint}", "--output=half", cwd=fitted)
    assert "b.jpg" in one_sentence(result)
    left = sorted(path.name for path in (fitted / "half").iterdir())
    assert left == ["a_overlay.png", "a_segmentation.png", "measures.csv"]


@pytest.mark.parametrize(
    "fault", ["missing mask", pytest.param("truncated image", marks=pytest.mark.slow)]
)
def test_a_fault_in_the_training_data_is_named(fault, tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    for number in range(6):
        Image.new("RGB", (64, 48), "tan").save(images / f"p{number}.jpg")
        Image.new("L", (64, 48), 255).save(masks / f"p{number}.png")
    if fault == "missing mask":
        (masks / "p3.png").unlink()
    else:
        whole = (images / "p3.jpg").read_bytes()
        (images / "p3.jpg").write_bytes(whole[: len(whole) // 2])
    result = lesionseg(
        "fit",
        "--model=Segmenter",
        "--model.network=smp:unet/resnet18",
        "--data=FolderDataModule",
        f"--data.train_images={images}",
        f"--data.train_masks={masks}",
        "--data.size=[32,32]",
        "--data.batch_size=5",
        "--trainer.accelerator=cpu",
        "--trainer.max_epochs=1",
        cwd=tmp_path,
    )
    assert "p3" in one_sentence(result)
    assert list(tmp_path.rglob("*.ckpt")) == []


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "x.ckpt").write_bytes(b"not a checkpoint")
    Image.new("RGB", (64, 48), "tan").save(tmp_path / "a.jpg")
    result = lesionseg("segment", "a.jpg", "--model=x.ckpt", "--output=o", cwd=tmp_path)
    assert "x.ckpt" in one_sentence(result)


COMMANDS = (*cli.TRAINER_COMMANDS, *cli.SMALL_COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, tmp_path):
    result = lesionseg(command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert f"lesionseg {command}" in result.stdout


def test_help_and_version(tmp_path):
    result = lesionseg("--help", cwd=tmp_path)
    assert result.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command}" in result.stdout
    assert "0." in lesionseg("--version", cwd=tmp_path).stdout


@pytest.mark.parametrize("arguments", [[], *([name, "--help"] for name in cli.SMALL_COMMANDS)])
def test_import_and_light_commands_do_not_import_torch(arguments):
    script = f"""
import sys
import time
import lesionseg, lesionseg.cli.main
try:
    lesionseg.cli.main.main({arguments or ["--help"]})
except SystemExit:
    pass
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_sigterm_ends_a_small_command_with_a_word(monkeypatch, capsys):
    def run(options):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("lesionseg.cli.models.run", run)
    assert cli.main(["models"]) == 143
    assert capsys.readouterr().err == "lesionseg: error: terminated\n"
    assert signal.getsignal(signal.SIGTERM) is before
