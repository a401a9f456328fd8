"""Attention to pooled keys, exported in each of its forms, where squares stick out of a map."""

import numpy as np
import pytest
import torch
from torch import nn

from lesionseg.blocks import PositionAttentionModule
from lesionseg.export.deployable import Deployable
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata

SIZE = (34, 41)


def network(pooling):
    """No map of it is a multiple of the stride."""
    torch.manual_seed(0)
    attention = PositionAttentionModule(16, key_stride=3, key_pooling=pooling)
    nn.init.ones_(attention.gamma)
    return nn.Sequential(nn.Conv2d(3, 16, 1), attention, nn.Conv2d(16, 1, 1)).eval()


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("attention", ["standard", "whole", "fused"])
def test_onnx_gives_the_networks_probabilities(attention, pooling, tmp_path):
    pooled, image = network(pooling), 2 * torch.rand(1, 3, *SIZE)
    path = tmp_path / "net.onnx"
    proto = to_onnx(Deployable(pooled, attention=attention), image, None)
    save_onnx(proto, ExportMetadata(size=SIZE, threshold=0.5), path)
    with torch.inference_mode():
        expected = torch.sigmoid(pooled(image)).numpy()
        pooled[1].key_stride = 1
        assert np.abs(expected - torch.sigmoid(pooled(image)).numpy()).max() > 1e-3
    given = ExportedPredictor(path).run(image.numpy())
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_executorch_gives_the_networks_probabilities(pooling, tmp_path):
    pytest.importorskip("executorch.runtime", reason="executorch is not installed")
    from lesionseg.export.to_executorch import load_executorch, to_executorch

    pooled, image = network(pooling), 2 * torch.rand(1, 3, *SIZE)
    path = tmp_path / "net.pte"
    metadata = ExportMetadata(size=SIZE, threshold=0.5)
    path.write_bytes(to_executorch(Deployable(pooled, attention="standard"), image, metadata))
    with torch.inference_mode():
        expected = torch.sigmoid(pooled(image))
    torch.testing.assert_close(load_executorch(path)(image), expected, rtol=0, atol=1e-5)
