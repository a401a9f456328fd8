"""The Trainer's predictions, as an image viewer shows the photographs."""

import warnings
import zipfile

import numpy as np
import pytest
from conftest_corner import ORIENTATIONS, Bright, place, write_corner
from lightning.pytorch import Trainer
from PIL import Image

from lesionseg.callbacks.prediction_writer import MaskWriter
from lesionseg.cli import main as cli
from lesionseg.cli.trainer_arguments import expand_arguments
from lesionseg.data import FolderDataModule
from lesionseg.errors import LesionsegError
from lesionseg.models import Segmenter
from lesionseg.networks import register, registry

SIZE = (32, 48)


@pytest.fixture(scope="module")
def model():
    register("bright-corner", Bright)
    yield Segmenter("bright-corner", size=SIZE)
    del registry._REGISTERED["bright-corner"]


def trainer(**options):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", enable_checkpointing=False, **quiet, **options)


@pytest.mark.filterwarnings("ignore:.*num_workers")
def test_predictions_and_overlays_are_as_shown(tmp_path, model):
    shown = {}
    for suffix in (".jpg", ".png"):
        for orientation in ORIENTATIONS:
            name = f"{suffix[1:]}-{orientation}"
            shown[name] = write_corner(tmp_path / "in" / f"{name}{suffix}", (160, 246), orientation)
    data = FolderDataModule(predict_images=tmp_path / "in", batch_size=5)
    writer = MaskWriter(str(tmp_path / "out"), probabilities=True)
    trainer(callbacks=[writer]).predict(model, data, return_predictions=False)
    for name, expected in shown.items():
        mask = np.asarray(Image.open(tmp_path / "out" / "masks" / f"{name}_segmentation.png")) > 0
        assert mask.shape == expected.shape
        assert (mask == expected).mean() > 0.95
        assert place(mask) == place(expected)
        with Image.open(tmp_path / "out" / "overlays" / f"{name}_overlay.png") as overlay:
            assert (overlay.height, overlay.width) == expected.shape
            # the outline lies on the bright corner, whose rest stays bright
            assert ((np.asarray(overlay).min(-1) > 128) <= expected).all()


@pytest.mark.filterwarnings("ignore:.*num_workers")
def test_a_test_scores_masks_of_sideways_photographs(tmp_path, model):
    """Whether they were drawn on what is shown or on what is stored."""
    for orientation in (1, 5, 6, 7, 8):
        for drawn in ("shown", "stored"):
            path = tmp_path / "x" / f"{orientation}-{drawn}.png"
            lesion = write_corner(path, (60, 94), orientation)
            if drawn == "stored":
                with Image.open(path) as image:
                    lesion = np.asarray(image.convert("L")) > 128
            (tmp_path / "y").mkdir(exist_ok=True)
            Image.fromarray(lesion).save(tmp_path / "y" / path.name)
    data = FolderDataModule(test_images=tmp_path / "x", test_masks=tmp_path / "y")
    (scores,) = trainer().test(model, data, verbose=False)
    assert scores["test/jaccard"] > 0.9
    assert min(model.test_table.scores["jaccard"]) > 0.85


def test_predict_goes_on_without_a_broken_image(tmp_path, model, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        write_corner(tmp_path / "in" / f"{name}.png", (30, 44))
    (tmp_path / "in" / "b.png").write_bytes(b"broken")
    one = trainer()
    one.strategy.connect(model)
    one.save_checkpoint(tmp_path / "bright.ckpt")
    arguments = [
        "predict",
        "--ckpt_path=bright.ckpt",
        "--data=FolderDataModule",
        "--data.predict_images=in",
        "--trainer.accelerator=cpu",
        "--trainer.logger=false",
    ]
    assert cli.main(arguments) == 1
    assert "b.png is truncated or not an image" in capsys.readouterr().err
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert cli.main([*arguments, "--data.on_error=skip"]) == 0
    (said,) = (str(one.message) for one in caught if "skipped" in str(one.message))
    assert "b.png: " in said
    with zipfile.ZipFile(tmp_path / "predictions" / "submission.zip") as archive:
        assert archive.namelist() == ["a_segmentation.png", "c_segmentation.png"]


@pytest.mark.filterwarnings("ignore:.*num_workers")
@pytest.mark.parametrize("lesion", [True, False])
def test_predictions_that_are_all_empty_are_remarked_on(tmp_path, model, lesion):
    for name in ("a", "b"):
        write_corner(tmp_path / "in" / f"{name}.png", (30, 44))
        if not (lesion and name == "a"):
            Image.new("RGB", (44, 30)).save(tmp_path / "in" / f"{name}.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer(callbacks=[MaskWriter(str(tmp_path / "out"))]).predict(
            model, FolderDataModule(predict_images=tmp_path / "in"), return_predictions=False
        )
    said = [one for one in caught if "no lesion was found in any image" in str(one.message)]
    assert len(said) == (not lesion)


@pytest.mark.filterwarnings("ignore:.*num_workers")
def test_predict_writes_the_formats_of_segment(tmp_path, model, capsys):
    for name in ("b", "a"):
        write_corner(tmp_path / "in" / f"{name}.png", (30, 44))
    writer = MaskWriter(str(tmp_path / "out"), formats="json,csv,coco")
    data = FolderDataModule(predict_images=tmp_path / "in")
    trainer(callbacks=[writer]).predict(model, data, return_predictions=False)
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in tmp_path.glob("out/**/*.*"))
    assert files == [
        *("coco.json", "json/a_segmentation.json", "json/b_segmentation.json", "measures.csv")
    ]
    rows = (tmp_path / "out" / "measures.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["image", "a.png", "b.png"]
    said = capsys.readouterr().out
    assert "2 of 2 images are worth a second look" in said
    assert "Masks:" not in said


def test_predict_takes_format():
    arguments = ["predict", "--format", "mask,json", "--trainer.logger=false"]
    assert expand_arguments(arguments)[1:3] == ["--output.formats", "mask,json"]
    assert expand_arguments(["predict", "--format=csv"])[1] == "--output.formats=csv"
    assert expand_arguments(["test", "--format=csv"])[1] == "--format=csv"
    with pytest.raises(LesionsegError, match="expected formats to be some of"):
        MaskWriter(formats="jpeg")
