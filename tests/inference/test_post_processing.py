"""Post-processing of masks, wherever masks are made."""

import json

import numpy as np
import pytest
import torch
from onnx import parser
from PIL import Image

import lesionseg
from lesionseg.callbacks.provenance import same_test
from lesionseg.callbacks.result_folder import name_of
from lesionseg.cli.main import main
from lesionseg.errors import LesionsegError
from lesionseg.export import ExportOptions
from lesionseg.export.to_onnx import save_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata, Predictor, load_predictor
from lesionseg.inference.regions import largest_region, post_process
from lesionseg.metrics import ISICScore

#: A ring with a hole, and a second region.
DRAWN = np.zeros((16, 24), bool)
DRAWN[3:11, 3:11] = True
DRAWN[6:8, 6:8] = False
DRAWN[12:15, 18:22] = True
KEPT = np.zeros((16, 24), bool)
KEPT[3:11, 3:11] = True


class Red(torch.nn.Module):
    """Logits that are positive where an image is red."""

    default_size = DRAWN.shape

    def forward(self, image):
        return 20 * (image[:, :1] - 0.5)


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "drawn.png"
    Image.fromarray(np.stack([255 * DRAWN] * 3, -1).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def exported(tmp_path):
    """A file whose network finds what is bright, and which asks for post-processing."""
    height, width = DRAWN.shape
    network = parser.parse_model(f"""
        <ir_version: 8, opset_import: ["": 17]>
        bright (float[1, 3, {height}, {width}] image)
            => (float[1, 1, {height}, {width}] probability)
        {{ probability = ReduceMax <axes = [1]> (image) }}
    """)
    metadata = ExportMetadata(size=DRAWN.shape, threshold=0.5, postprocess="largest-region")
    save_onnx(network, metadata, tmp_path / "bright.onnx")
    return tmp_path / "bright.onnx"


def test_what_is_kept():
    assert (largest_region(DRAWN) == KEPT).all()
    assert (post_process(DRAWN, "largest-region") == KEPT).all()
    assert (post_process(DRAWN, "none") == DRAWN).all()


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="expected postprocess to be one of none, largest-region"):
        Predictor(Red(), (16, 24), postprocess="largest")
    with pytest.raises(LesionsegError, match="expected postprocess to be one of"):
        ExportOptions(postprocess="largest")


def test_a_predictor(photograph):
    image = Image.open(photograph)
    assert (Predictor(Red(), DRAWN.shape)(image).mask == DRAWN).all()
    result = Predictor(Red(), DRAWN.shape, postprocess="largest-region")(image)
    assert (result.mask == KEPT).all()
    assert ((result.probability > 0.5) == DRAWN).all()


def test_a_model_tests_predicts_and_segments_with_it():
    model = lesionseg.Segmenter("unet")
    model.network = Red()
    batch = {
        "image": torch.from_numpy(DRAWN).float().expand(1, 3, -1, -1),
        "mask": torch.from_numpy(KEPT).float()[None, None],
        "id": ["a"],
        "size": [DRAWN.shape],
    }
    for how, expected in (("none", DRAWN), ("largest-region", KEPT)):
        model.postprocess = how
        (prediction,) = model.predict_step(batch)
        assert (prediction.mask.numpy() == expected).all()
        model.test_score = ISICScore()
        (mask,) = model.test_step(batch, 0)["mask"]
        assert (mask.numpy() == expected).all()
        jaccard = model.test_score.compute()["jaccard"].item()
        assert jaccard == pytest.approx((expected & KEPT).sum() / (expected | KEPT).sum())
        assert (lesionseg.segment(batch["image"][0], model).mask == expected).all()


def test_an_exported_file_asks_for_it_and_the_caller_decides(exported, photograph, tmp_path):
    image = Image.open(photograph)
    assert (ExportedPredictor(exported)(image).mask == KEPT).all()
    assert (load_predictor(exported)(image).mask == KEPT).all()
    assert (load_predictor(exported, postprocess="none")(image).mask == DRAWN).all()
    for option, expected in (((), KEPT), (("--postprocess", "none"), DRAWN)):
        command = ["segment", str(photograph), "--model", str(exported), *option]
        assert main([*command, "--output", str(tmp_path / "masks")]) == 0
        mask = np.asarray(Image.open(tmp_path / "masks" / "drawn_segmentation.png"))
        assert ((mask > 128) == expected).all()


def test_files_of_version_0_1_have_none():
    properties = ExportMetadata(size=(8, 8), threshold=0.5).to_properties()
    del properties["postprocess"]
    assert ExportMetadata.from_properties(properties).postprocess == "none"
    with pytest.raises(ValueError, match="expected postprocess to be one of"):
        ExportMetadata.from_properties({**properties, "postprocess": json.dumps("all")})


def test_it_is_part_of_what_a_test_is():
    test = {
        "data": {"name": "isic2018"},
        "split": "val",
        "checkpoint": "best.ckpt",
        "test_time_augmentation": "none",
        "trained_size": [8, 8],
        "size": [8, 8],
    }
    processed = test | {"postprocess": "largest-region"}
    assert name_of(test) == "test-isic2018-val"
    assert name_of(processed) == "test-isic2018-val-largest-region"
    assert same_test(test, test | {"postprocess": "none"})  # of version 0.1, and of today
    assert not same_test(test, processed)
