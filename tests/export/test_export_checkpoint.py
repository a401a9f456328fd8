"""A checkpoint becomes a file that says the same."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from lightning.pytorch import Trainer

from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.export import ExportOptions, export_checkpoint
from lesionseg.export import checkpoint as exporting
from lesionseg.export.to_onnx import to_onnx
from lesionseg.export.to_torch import METADATA_FILE
from lesionseg.inference import ExportedPredictor
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.models import Segmenter


def eager(checkpoint, images):
    with torch.inference_mode():
        return torch.sigmoid(predictor_of_checkpoint(checkpoint).network(images)).numpy()


def operators(path):
    return {(node.domain, node.op_type) for node in onnx.load(path).graph.node}


@pytest.mark.parametrize("attention", ["standard", "whole", "fused"])
def test_onnx_says_what_the_network_says(checkpoint, tmp_path, attention):
    options = ExportOptions(attention=attention, license="CC0-1.0")
    export = export_checkpoint(checkpoint, tmp_path / "net.onnx", options)
    assert 0 <= export.difference < 1e-4
    predictor = ExportedPredictor(export.path)
    assert predictor.metadata == export.metadata
    assert predictor.metadata.size == (64, 80)
    assert predictor.metadata.threshold == 0.4
    assert predictor.metadata.classes == ("lesion",)
    assert predictor.metadata.license == "CC0-1.0"
    assert predictor.metadata.provenance["network"]["name"] == "tiny-attention"
    images = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(7))
    np.testing.assert_allclose(
        predictor.run(images.numpy()), eager(checkpoint, images), rtol=0, atol=1e-5
    )
    domains = {domain for domain, _ in operators(export.path)}
    assert domains == ({"", "com.microsoft"} if attention == "fused" else {""})


def test_the_callers_denormal_numbers_stay(checkpoint, tmp_path):
    predictor = ExportedPredictor(export_checkpoint(checkpoint, tmp_path / "net.onnx").path)
    predictor.run(np.zeros((1, 3, 64, 80), np.float32))
    smallest = np.full(9, np.finfo(np.float32).smallest_subnormal)
    assert (smallest * np.float32(2) > 0).all()


def test_standard_attention_builds_no_map_of_all_positions(checkpoint, tmp_path):
    path = export_checkpoint(checkpoint, tmp_path / "net.onnx").path
    shapes = onnx.shape_inference.infer_shapes(onnx.load(path)).graph.value_info
    sizes = [
        np.prod([dim.dim_value for dim in one.type.tensor_type.shape.dim], dtype=int)
        for one in shapes
    ]
    positions = 32 * 40
    assert 0 < max(sizes) < positions**2 / 2


@pytest.mark.parametrize("attention", ["standard", "fused"])
def test_free_sizes(checkpoint, tmp_path, attention):
    options = ExportOptions(dynamic=True, attention=attention)
    predictor = ExportedPredictor(
        export_checkpoint(checkpoint, tmp_path / "net.onnx", options).path
    )
    for shape in [(1, 3, 64, 80), (3, 3, 10, 90), (2, 3, 128, 32)]:
        images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        np.testing.assert_allclose(
            predictor.run(images.numpy()), eager(checkpoint, images), rtol=0, atol=1e-5
        )


def test_bytes_in(checkpoint, tmp_path):
    options = ExportOptions(input="uint8", size=(32, 48))
    predictor = ExportedPredictor(
        export_checkpoint(checkpoint, tmp_path / "net.onnx", options).path
    )
    images = torch.randint(0, 256, (1, 3, 32, 48), dtype=torch.uint8)
    np.testing.assert_allclose(
        predictor.run(images.numpy()), eager(checkpoint, images / 255), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_torch_program_needs_no_lesionseg(checkpoint, tmp_path, dynamic):
    options = ExportOptions(format="torch", dynamic=dynamic)
    path = export_checkpoint(checkpoint, tmp_path / "net.pt2", options).path
    extra = {METADATA_FILE: ""}
    program = torch.export.load(path, extra_files=extra)
    about = json.loads(extra[METADATA_FILE])
    assert about["size"] == [64, 80]
    images = torch.rand(2 if dynamic else 1, 3, 64, 80)
    np.testing.assert_allclose(
        program.module()(images).detach(), eager(checkpoint, images), rtol=0, atol=1e-5
    )


def test_no_file_names_this_machines_folders(checkpoint, tmp_path):
    home = str(Path(exporting.__file__).parents[2]).encode()
    for format, suffix in exporting.SUFFIXES.items():
        if format != "executorch":
            path = tmp_path / f"net{suffix}"
            content = export_checkpoint(checkpoint, path, ExportOptions(format=format)).path
            assert home not in content.read_bytes()


def test_a_program_that_differs_is_not_written(checkpoint, tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"an earlier export")

    def spoiled(model, example, shapes):
        with torch.no_grad():
            model.network.layers[0][0].weight.mul_(1.5)
        return to_onnx(model, example, shapes)

    monkeypatch.setattr(exporting, "to_onnx", spoiled)
    with pytest.raises(LesionsegError, match="differs from the network by"):
        export_checkpoint(checkpoint, path)
    assert path.read_bytes() == b"an earlier export"
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_go_together_is_said(checkpoint, tmp_path):
    with pytest.raises(LesionsegError, match="leave out --dynamic"):
        ExportOptions(format="executorch", dynamic=True)
    with pytest.raises(LesionsegError, match="ONNX Runtime"):
        ExportOptions(format="torch", attention="fused")
    with pytest.raises(LesionsegError, match="leave out --quantize"):
        ExportOptions(format="torch", quantize="int8")
    with pytest.raises(LesionsegError, match="neither"):
        ExportOptions(quantize="int8", images=tmp_path)
    with pytest.raises(LesionsegError, match="--quantize int8"):
        ExportOptions(images=tmp_path, masks=tmp_path)
    with pytest.raises(ValueError, match="multiples of 2, got 63 x 80"):
        export_checkpoint(checkpoint, tmp_path / "x.onnx", ExportOptions(size=(63, 80)))
    with pytest.raises(ValueError, match=r"expected size to be .*-64"):
        export_checkpoint(checkpoint, tmp_path / "x.onnx", ExportOptions(size=(-64, 80)))
    with pytest.raises(LesionsegError, match=r"ends in \.onnx"):
        export_checkpoint(checkpoint, tmp_path / "net.pt2")
    with pytest.raises(CheckpointError, match=r"absent\.ckpt"):
        export_checkpoint(tmp_path / "absent.ckpt", tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_export_left_is_removed(checkpoint, tmp_path):
    left = tmp_path / ".unfinished-abc.onnx"
    left.touch()
    os.utime(left, (0, 0))
    path = export_checkpoint(checkpoint, tmp_path / "net.onnx").path
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_free_sizes_of_a_network_whose_least_size_has_maps_of_one_pixel(tmp_path):
    model = Segmenter("asnet", size=(64, 64))
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "asnet.ckpt")
    options = ExportOptions(format="torch", dynamic=True)
    path = export_checkpoint(tmp_path / "asnet.ckpt", tmp_path / "asnet.pt2", options).path
    program = torch.export.load(path).module()
    assert program(torch.rand(3, 3, 40, 90)).shape == (3, 1, 40, 90)


@pytest.mark.parametrize("fails_late", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_pooling_that_forbids_free_sizes_is_said(tmp_path, monkeypatch, fails_late):
    model = Segmenter("smp:pspnet/mobilenet_v2", size=(64, 64))
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "y.ckpt")
    message = r"pools to grids of 2 x 2, 3 x 3, 6 x 6, .* leave out --dynamic"
    if fails_late:  # the runtime's own error, of a network that pools in another way
        monkeypatch.setattr(exporting, "_check_pooling", lambda network: None)
        message = "cannot be exported with these options .*Leave out --dynamic"
    with pytest.raises(LesionsegError, match=message):
        export_checkpoint(tmp_path / "y.ckpt", tmp_path / "y.onnx", ExportOptions(dynamic=True))
    assert [path.name for path in tmp_path.iterdir()] == ["y.ckpt"]
