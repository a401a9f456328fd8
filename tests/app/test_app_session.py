"""What the page of ``lesionseg app`` does with photographs, without a browser or Gradio."""

import csv
import io
import sys
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from lesionseg import FolderDataModule
from lesionseg.app import session
from lesionseg.app.session import (
    Models,
    check_model_file,
    corrected_mask,
    open_photograph,
    save_pair,
    segment_batch,
    with_threshold,
)
from lesionseg.cli.main import main
from lesionseg.errors import CheckpointError, InvalidDataError
from lesionseg.inference import Segmentation

SQUARE = np.zeros((30, 40), bool)
SQUARE[10:20, 10:25] = True


def dark(image):
    """Stands for a model: dark pixels are lesion."""
    probability = 1 - np.asarray(image.convert("L"), np.float32) / 255
    return Segmentation(probability > 0.5, probability)


def photo(path, mask=SQUARE):
    Image.fromarray(np.where(mask, 60, 200).astype(np.uint8)).convert("RGB").save(path)
    return path


@pytest.fixture
def models(monkeypatch):
    monkeypatch.setattr(session, "load_predictor", lambda name: dark)
    return Models()


def test_a_batch_is_a_zip_and_bad_photographs_are_named(models, tmp_path):
    (tmp_path / "b").mkdir()
    paths = [photo(tmp_path / "mole.png"), photo(tmp_path / "b" / "mole.png"), tmp_path / "x.png"]
    paths[2].write_text("no image")
    target, rows, skipped = segment_batch(paths, models, "asnet-lite", 0.5, tmp_path / "out")
    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist()) == [
            *("measures.csv", "mole-2_overlay.png", "mole-2_segmentation.png"),
            *("mole_overlay.png", "mole_segmentation.png"),
        ]
        mask = np.asarray(Image.open(io.BytesIO(archive.read("mole_segmentation.png"))))
        table = list(csv.DictReader(io.StringIO(archive.read("measures.csv").decode())))
    assert np.array_equal(mask, np.where(SQUARE, 255, 0))
    assert [row["lesion_pixels"] for row in table] == ["150", "150"]
    assert len(rows) == 2
    (sentence,) = skipped
    assert "x.png" in sentence
    with pytest.raises(InvalidDataError, match=r"x\.png"):
        segment_batch(paths[2:], models, "asnet-lite", 0.5, tmp_path / "out")
    with pytest.raises(InvalidDataError, match="at least one"):
        segment_batch([], models, "asnet-lite", 0.5, tmp_path / "out")


def test_saved_pairs_are_read_by_the_data_module_and_never_replaced(tmp_path):
    image = Image.new("RGB", (40, 30), "white")
    threads = [
        threading.Thread(target=save_pair, args=(image, SQUARE, "mole.jpg", tmp_path))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    save_pair(image, ~SQUARE, "../a/b?c.jpg", tmp_path)
    names = ["b_c.png", "mole-2.png", "mole-3.png", "mole-4.png", "mole.png"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == names
    data = FolderDataModule(tmp_path, size=(30, 40), val_fraction=0.4)
    data.setup("fit")
    samples = [*data.datasets["train"], *data.datasets["val"]]
    areas = {sample["id"]: int(sample["mask"].sum()) for sample in samples}
    assert areas == {
        **dict.fromkeys(("mole", "mole-2", "mole-3", "mole-4"), 150),
        "b_c": 1200 - 150,
    }


def test_red_strokes_add_to_the_mask_and_blue_ones_remove_at_the_size_of_the_photograph():
    layer = Image.new("RGBA", (20, 15))
    layer.paste((255, 23, 68, 255), (0, 0, 4, 15))
    layer.paste((33, 150, 243, 255), (8, 5, 10, 15))
    layer.paste((255, 23, 68, 90), (16, 0, 20, 15))  # hardly visible
    expected = SQUARE.copy()
    expected[:, :8] = True
    expected[10:, 16:20] = False
    assert np.array_equal(corrected_mask(SQUARE, [layer]), expected)
    assert np.array_equal(corrected_mask(SQUARE, [Image.new("RGBA", (8, 8))]), SQUARE)


def test_the_threshold_moves_the_mask():
    result = Segmentation(np.zeros((1, 3), bool), np.array([[0.2, 0.5, 0.8]], np.float32))
    assert with_threshold(result, 0.4).mask.tolist() == [[False, True, True]]
    assert with_threshold(result, 0.5).mask.tolist() == [[False, False, True]]


def test_a_huge_photograph_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = photo(tmp_path / "mole.png")
    assert open_photograph(path).size == (40, 30)
    monkeypatch.setattr(session, "MAX_PIXELS", 1000)
    with pytest.raises(InvalidDataError, match=r"mole\.png has 0 million pixels; reduce it"):
        open_photograph(path)
    text = tmp_path / "notes.jpg"
    text.write_text("no image")
    with pytest.raises(InvalidDataError) as error:
        open_photograph(text)
    assert str(tmp_path) not in str(error.value)


def test_few_models_stay_in_memory_and_another_kind_is_refused(models, tmp_path):
    for number in range(5):
        models.add(tmp_path / f"{number}.ckpt")
    assert len(models._loaded) == 3
    assert models.names[-1] == str(tmp_path / "4.ckpt")
    with pytest.raises(CheckpointError, match=r"notes\.txt is neither a checkpoint"):
        check_model_file(tmp_path / "notes.txt")


def test_without_gradio_a_sentence_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app"]) == 1
    assert 'pip install "lesionseg[app]"' in capsys.readouterr().err
    assert main(["app", "--port", "0"]) == 1
    assert "expected --port to be 1 to 65535, got 0" in capsys.readouterr().err
