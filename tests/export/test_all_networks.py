"""Every network of the registry can be exported."""

import pytest
import torch

from lesionseg.export.deployable import Deployable
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata
from lesionseg.networks import create_network, network_names

SIDES = {"frcn": 32, "segan": 128}
# One class under several names is exported once for each of its graphs.
NAMES = sorted({*network_names()} - {"gan_fcn", "asnet-without-dilation", "mobilegan-wide"})


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "smp:unet/resnet34"])
def test_onnx(name, tmp_path):
    torch.manual_seed(0)
    network = create_network(name)
    side = SIDES.get(name, 64)
    image = torch.rand(1, 3, side, side)
    path = tmp_path / "net.onnx"
    proto = to_onnx(Deployable(network, attention="standard"), image, None)
    save_onnx(proto, ExportMetadata(size=(side, side), threshold=0.5), path)
    predictor = ExportedPredictor(path)
    with torch.inference_mode():
        expected = Deployable(network)(image)
    # Without training, rounding errors grow from layer to layer: MultiResUNet's exceed the 1e-4
    # that export allows.
    torch.testing.assert_close(
        torch.from_numpy(predictor.run(image.numpy())), expected, rtol=0, atol=5e-4
    )
