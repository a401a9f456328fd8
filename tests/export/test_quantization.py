"""Int8: smaller files whose official score holds."""

import re

import numpy as np
import pytest
import torch

from lesionseg.data import SyntheticLesions
from lesionseg.errors import LesionsegError
from lesionseg.export import ExportOptions, export_checkpoint
from lesionseg.export import checkpoint as exporting
from lesionseg.export.checks import check_scores, official_scores
from lesionseg.export.deployable import Deployable
from lesionseg.inference import ExportedPredictor
from lesionseg.visualization import to_picture


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    monkeypatch.setattr(exporting, "_CALIBRATION_IMAGES", 3)
    monkeypatch.setattr(exporting, "_SCORED_IMAGES", 4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    drawn = SyntheticLesions(5, (70, 90))
    for index in range(len(drawn)):
        sample = drawn[index]
        to_picture(sample["image"]).save(root / "images" / f"{index}.png")
        to_picture(sample["mask"].expand(3, -1, -1)).convert("L").save(
            root / "masks" / f"{index}.png"
        )
    return root / "images", root / "masks"


@pytest.mark.parametrize("real", [False, True])
def test_int8_onnx(checkpoint, tmp_path, folders, real):
    images, masks = folders if real else (None, None)
    options = ExportOptions(quantize="int8", images=images, masks=masks)
    export = export_checkpoint(checkpoint, tmp_path / "net.onnx", options)
    before, after = export.scores
    assert abs(before["jaccard"] - after["jaccard"]) < 0.05
    assert export.scored == (f"3 images of {images}" if real else "4 synthetic images")
    predictor = ExportedPredictor(export.path)
    assert predictor.metadata.quantization == "int8"
    whole = ExportedPredictor(export_checkpoint(checkpoint, tmp_path / "whole.onnx").path)
    image = SyntheticLesions(1, (64, 80))[0]["image"][None].numpy()
    difference = np.abs(predictor.run(image) - whole.run(image))
    assert 0 < difference.max() < 0.1


def test_a_worse_score_is_refused():
    good = {"jaccard": 0.80, "threshold_jaccard": 0.75}
    check_scores(good, {"jaccard": 0.796, "threshold_jaccard": 0.76})
    with pytest.raises(LesionsegError, match=r"0\.60 points of jaccard"):
        check_scores(good, {"jaccard": 0.794, "threshold_jaccard": 0.75})
    with pytest.raises(LesionsegError, match="threshold_jaccard"):
        check_scores(good, {"jaccard": 0.80, "threshold_jaccard": 0.74})


def test_one_image_is_too_few(checkpoint, tmp_path, folders):
    images, masks = (tmp_path / "images", tmp_path / "masks")
    for source, folder in zip(folders, (images, masks), strict=True):
        folder.mkdir()
        (folder / "0.png").write_bytes((source / "0.png").read_bytes())
    options = ExportOptions(quantize="int8", images=images, masks=masks)
    with pytest.raises(LesionsegError, match="holds 1 image"):
        export_checkpoint(checkpoint, tmp_path / "net.onnx", options)


def test_weights_are_8_bit_but_those_that_feed_attention(checkpoint, tmp_path):
    import onnx

    options = ExportOptions(quantize="int8")
    path = export_checkpoint(checkpoint, tmp_path / "net.onnx", options).path
    feeding, others = set(), set()
    for one in onnx.load(path).graph.initializer:
        if len(one.dims) == 4:
            into = feeding if re.search("query|key|value", one.name) else others
            into.add(one.data_type)
            if one.data_type == onnx.TensorProto.INT8:
                largest = np.abs(onnx.numpy_helper.to_array(one).astype(int)).max()
                assert 60 < largest <= 64, "7 bits, which do not saturate without VNNI"
    assert feeding == {onnx.TensorProto.FLOAT}
    assert onnx.TensorProto.INT8 in others


def test_small_sizes_are_calibrated_on_synthetic_images_too(checkpoint, tmp_path):
    options = ExportOptions(quantize="int8", size=(16, 24))
    assert export_checkpoint(checkpoint, tmp_path / "net.onnx", options).metadata.size == (16, 24)


def test_numbers_that_are_none_are_refused():
    worse = {"jaccard": float("nan"), "threshold_jaccard": 0.7}
    with pytest.raises(LesionsegError, match="jaccard"):
        check_scores({"jaccard": 0.8, "threshold_jaccard": 0.7}, worse)
    model = Deployable(torch.nn.Identity())
    sample = SyntheticLesions(1, (32, 32))[0]
    with pytest.raises(LesionsegError, match="not finite"):
        official_scores(lambda _: np.full((1, 1, 32, 32), np.nan, np.float32), model, [sample], 0.5)
