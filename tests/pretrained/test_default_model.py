"""A photograph without any options."""

import csv

import numpy as np
import pytest
from PIL import Image

from lesionseg import segment
from lesionseg.cli import main as cli
from lesionseg.data import SyntheticLesions
from lesionseg.inference import loading
from lesionseg.inference.measures import measure_lesion
from lesionseg.inference.saving import MEASURES_TABLE, table_row
from lesionseg.inference.segmentation import Segmentation
from lesionseg.metrics import confusion_counts
from lesionseg.visualization import to_picture


def test_a_drawn_lesion_is_found_without_naming_a_model():
    sample = SyntheticLesions(1, (96, 130), with_truth=True)[0]
    result = segment(to_picture(sample["image"]))
    truth = sample["truth"].numpy() > 0
    tp, fp, fn, _ = confusion_counts(result.mask, truth)
    assert tp / (tp + fp + fn) > 0.6


def test_segment_writes_mask_overlay_and_numbers(tmp_path, monkeypatch, capsys):
    asked = []

    def load(source, device, augmentation, postprocess):
        asked.append(source)
        mask = np.zeros((6, 10), bool)
        mask[2:4, 3:8] = True
        return lambda image: Segmentation(mask, mask.astype(np.float32))

    monkeypatch.setattr(loading, "load_predictor", load)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (10, 6)).save("photo.png")
    assert cli.main(["segment", "photo.png"]) == 0
    assert "see segmented" in capsys.readouterr().out
    assert asked == ["asnet-lite"]
    names = sorted(path.name for path in (tmp_path / "segmented").iterdir())
    assert names == [MEASURES_TABLE, "photo_overlay.png", "photo_segmentation.png"]
    (row,) = csv.DictReader((tmp_path / "segmented" / MEASURES_TABLE).open())
    assert {name: row[name] for name in tuple(row)[:10]} == {
        "image": "photo.png",
        "width": "10",
        "height": "6",
        "lesion_pixels": "10",
        "lesion_percent": "16.667",
        "left": "3",
        "top": "2",
        "right": "8",
        "bottom": "4",
        "touches_border": "0",
    }
    assert cli.main(["segment", "photo.png", "--model=mobilegan", "--output=."]) == 0
    assert asked[1:] == ["mobilegan"]
    assert cli.main(["segment", ".", "--output=."]) == 0  # over its own results
    assert "ignored" not in capsys.readouterr().err


def test_others_measurements_are_not_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loading, "load_predictor", pytest.fail)
    Image.new("RGB", (10, 6)).save(tmp_path / "photo.png")
    (tmp_path / MEASURES_TABLE).write_text("mine")
    assert cli.main(["segment", str(tmp_path / "photo.png"), f"--output={tmp_path}"]) == 1
    assert MEASURES_TABLE in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "column", "touches"), [(0, 1, 1), (1, 0, 1), (3, 1, 1), (1, 4, 1), (1, 1, 0)]
)
def test_a_lesion_at_any_edge_touches_the_border(row, column, touches):
    mask = np.zeros((4, 5), bool)
    mask[row, column] = True
    found = measure_lesion(mask)
    assert found.touches_border == bool(touches)
    assert found.bounding_box[:2] == (column, row)


def test_an_empty_mask_has_no_box():
    mask = np.zeros((4, 5), bool)
    found = table_row(Segmentation(mask, mask.astype(np.float32)))
    assert [found[key] for key in ("lesion_pixels", "left", "bottom", "touches_border")] == [
        *(0, "", ""),
        0,
    ]
