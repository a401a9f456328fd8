"""Programs for phones, run in ExecuTorch's own Python runtime."""

import json

import pytest
import torch

from lesionseg.export import ExportOptions, export_checkpoint
from lesionseg.export import checkpoint as exporting
from lesionseg.inference.predictor import predictor_of_checkpoint

pytestmark = pytest.mark.slow
runtime = pytest.importorskip("executorch.runtime", reason="executorch is not installed")


def test_the_program_says_what_the_network_says(checkpoint, tmp_path):
    options = ExportOptions(format="executorch")
    export = export_checkpoint(checkpoint, tmp_path / "net.pte", options)
    program = runtime.Runtime.get().load_program(export.path)
    image = torch.rand(1, 3, 64, 80)
    (probability,) = program.load_method("forward").execute([image])
    network = predictor_of_checkpoint(checkpoint).network
    with torch.inference_mode():
        torch.testing.assert_close(probability, torch.sigmoid(network(image)), rtol=0, atol=1e-5)
    (about,) = program.load_method("lesionseg").execute([])
    assert json.loads(about)["size"] == [64, 80]
    assert json.loads(about)["provenance"]["network"]["name"] == "tiny-attention"


def test_int8(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_CALIBRATION_IMAGES", 3)
    monkeypatch.setattr(exporting, "_SCORED_IMAGES", 4)
    options = ExportOptions(format="executorch", quantize="int8")
    export = export_checkpoint(checkpoint, tmp_path / "net.pte", options)
    before, after = export.scores
    assert abs(before["jaccard"] - after["jaccard"]) < 0.05
