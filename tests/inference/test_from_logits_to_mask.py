"""Sigmoid, resize, threshold: in a predictor, in an exported file and in half precision."""

import copy

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image
from torch import nn

from lesionseg.export.deployable import Deployable
from lesionseg.inference import Predictor, load_predictor, segment
from lesionseg.inference.metadata import ExportMetadata
from lesionseg.inference.postprocess import binarize, probabilities
from lesionseg.models import Segmenter

GREY = float(np.float32(128) / np.float32(255))


class Constant(nn.Module):
    """Gives the same logits whatever it sees."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, image):
        return self.logits.expand(len(image), 1, -1, -1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_sigmoid_is_taken_in_full_precision(dtype):
    logits = torch.linspace(-7, 7, 64).to(dtype)
    exact = 1 / (1 + np.exp(-logits.double().numpy()))
    np.testing.assert_allclose(probabilities(logits), exact, rtol=1e-6)


def test_what_equals_the_threshold_is_background():
    probability = torch.tensor([0.25, 0.5, 0.75])
    assert binarize(probability).tolist() == [False, False, True]
    assert binarize(probability, 0.75).tolist() == [False, False, False]
    assert binarize(probability, 0.25).tolist() == [False, True, True]


@pytest.mark.parametrize("original", [(8, 6), (50, 31)])
def test_a_predictor_resizes_probabilities(original):
    logits = 9 * torch.randn(1, 1, 8, 6, generator=torch.Generator().manual_seed(0))
    small = (1 / (1 + np.exp(-logits[0, 0].double().numpy()))).astype(np.float32)
    height, width = original
    expected = Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)
    predictor = Predictor(Constant(logits), (8, 6), threshold=0.7)
    found = predictor(Image.new("RGB", (width, height)))
    np.testing.assert_allclose(found.probability, expected, atol=1e-5)
    assert np.array_equal(found.mask, found.probability > 0.7)
    assert np.array_equal(found.mask, np.asarray(expected) > 0.7)


def test_a_predictor_takes_one_half_for_background():
    predictor = Predictor(Constant(torch.zeros(1, 1, 4, 4)), (4, 4))
    assert not predictor(Image.new("RGB", (4, 4))).mask.any()
    below = Predictor(Constant(torch.zeros(1, 1, 4, 4)), (4, 4), threshold=0.499999)
    assert below(Image.new("RGB", (4, 4))).mask.all()


@pytest.fixture(scope="module")
def red(tmp_path_factory):
    """An exported file whose probability is the image's red channel; its threshold is a gray."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Gather", ["image", "channel"], ["probability"], axis=1)],
        "red",
        [helper.make_tensor_value_info("image", kind, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("probability", kind, [1, 1, 4, 4])],
        [helper.make_tensor("channel", TensorProto.INT64, [1], [0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = ExportMetadata(size=(4, 4), threshold=GREY)
    helper.set_model_props(model, metadata.to_properties())
    path = tmp_path_factory.mktemp("exported") / "red.onnx"
    onnx.save(model, path)
    return load_predictor(path)


def test_an_exported_file_takes_its_threshold_for_background(red):
    pixels = np.full((4, 4, 3), 128, np.uint8)
    pixels[0] = 129
    pixels[3] = 127
    found = red(Image.fromarray(pixels))
    assert found.probability[1, 0] == np.float32(GREY)
    assert found.mask.tolist() == [[True] * 4, *[[False] * 4] * 3]


def test_an_exported_files_probability_is_resized_and_then_cut(red):
    small = np.random.default_rng(0).integers(0, 256, (4, 4), dtype=np.uint8)
    large = Image.fromarray(small).resize((16, 12), Image.Resampling.NEAREST).convert("RGB")
    found = red(large)
    seen = np.asarray(large.resize((4, 4), Image.Resampling.BILINEAR))[..., 0]
    shares = Image.fromarray(seen.astype(np.float32) / 255)
    expected = np.asarray(shares.resize((16, 12), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)
    assert np.array_equal(found.mask, found.probability > GREY)
    assert 0 < found.mask.sum() < found.mask.size


def test_what_is_exported_works_as_in_eval():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    network.append(nn.Conv2d(4, 1, 1))
    image = torch.rand(2, 3, 8, 8)
    network.train()(image)  # statistics of its own
    deployable = Deployable(network)
    assert network.training
    assert not any(module.training for module in deployable.network.modules())
    expected = 1 / (1 + (-network.eval()(image)).exp())
    torch.testing.assert_close(deployable(image), expected.detach())
    eight_bits = (255 * image).round()
    torch.testing.assert_close(
        Deployable(network, "uint8")(eight_bits.byte()), deployable(eight_bits / 255)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model with batch statistics of its own, still in training mode, and its checkpoint."""
    torch.manual_seed(0)
    model = Segmenter("unet", {"width": 4}, size=(32, 48), threshold=0.3)
    model.train()
    model(torch.rand(4, 3, 32, 48))
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(model)
    path = tmp_path_factory.mktemp("trained") / "unet.ckpt"
    trainer.save_checkpoint(path)
    return model, path


def test_models_and_checkpoints_segment_as_in_eval_at_their_own_size_and_threshold(trained):
    model, path = trained
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    with torch.no_grad():
        network = copy.deepcopy(model.network).eval()
        logits = network(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)
    expected = 1 / (1 + (-logits[0, 0].double()).exp())
    predictor = load_predictor(path)
    assert predictor.size == (32, 48)
    assert predictor.threshold == 0.3
    assert not any(module.training for module in predictor.network.modules())
    for found in (
        segment(pixels, model),
        segment(pixels, path),
        predictor(Image.fromarray(pixels)),
    ):
        np.testing.assert_allclose(found.probability, expected, atol=1e-5)
        assert np.array_equal(found.mask, found.probability > 0.3)
    assert model.network.training
