import pytest
import torch
from torch.nn import functional as F
from torchvision.models.vgg import cfgs, make_layers

from lesionseg.networks import FCN8s, encoder_weights
from lesionseg.networks.fcn8s import _bilinear_deconvolution


@torch.inference_mode()
def test_fully_connected_layers_become_convolutions(monkeypatch):
    torch.manual_seed(0)
    features = make_layers(cfgs["D"])
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    for layer, inputs in (("0", 512 * 7 * 7), ("3", 4096)):
        weight = state[f"classifier.{layer}.weight"] = torch.zeros(4096, inputs)
        weight[:64] = torch.randn(64, inputs)  # a few rows will do
        state[f"classifier.{layer}.bias"] = torch.randn(4096)
    state["classifier.6.bias"] = torch.zeros(1000)  # left out
    monkeypatch.setattr(encoder_weights, "read_state_dict", lambda path: state)
    encoder = FCN8s(encoder_weights="vgg16.pth").encoder.eval()
    image = torch.randn(1, 3, 224, 224)
    pools = [features[:17](image)]
    pools.append(features[17:24](pools[0]))
    hidden = features[24:](pools[1]).flatten(1)
    for layer in ("0", "3"):
        weight, bias = state[f"classifier.{layer}.weight"], state[f"classifier.{layer}.bias"]
        hidden = F.linear(hidden, weight, bias).relu()
    pool3, pool4, fc7 = encoder(image)
    torch.testing.assert_close(pool3, pools[0])
    torch.testing.assert_close(pool4, pools[1])
    assert fc7.shape == (1, 4096, 7, 7)
    torch.testing.assert_close(fc7[..., 3, 3], hidden, rtol=1e-3, atol=1e-3 * hidden.max().item())


@pytest.mark.parametrize("factor", [2, 8])
@torch.inference_mode()
def test_deconvolutions_start_as_bilinear_upsampling(factor):
    scores = torch.randn(1, 2, 6, 7)
    up = _bilinear_deconvolution(factor)(scores)
    expected = F.interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)
    assert up.shape == expected.shape
    inside = slice(factor, -factor)  # the border fades, as there is nothing beyond it
    torch.testing.assert_close(up[..., inside, inside], expected[..., inside, inside])
