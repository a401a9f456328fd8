"""Time the released models against U-Nets with small encoders: a single image on a single core.

All networks are exported by the same exporter and run by ONNX Runtime with one thread, in turn.
Weights do not change the time, so the U-Nets' are random.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measure import arguments, in_turn_apart, ratio, report, spread

from lesionseg.data import SyntheticLesions
from lesionseg.export import Deployable
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.networks import create_network
from lesionseg.networks.summary import count_macs

PEER = "U-Net, EfficientNet-Lite0"
#: A released model or the name of a network, and the side of its images.
CONTESTANTS = {
    "asnet-lite": ("asnet-lite", 256),
    "mobilegan": ("mobilegan", 128),
    PEER: ("smp:unet/tu-tf_efficientnet_lite0", 256),
    "U-Net, MobileNetV2": ("smp:unet/mobilenet_v2", 256),
    "U-Net, ResNet34": ("smp:unet/resnet34", 256),
}


def build(name: str) -> torch.nn.Module:
    """The network of a released model, or a random one."""
    if name.startswith("smp:"):
        return create_network(name).eval()
    return predictor_of_checkpoint(name).network


def session(path: Path, side: int) -> Callable[[], object]:
    """What runs an exported file on one core."""
    predictor: Any = ExportedPredictor(path, threads=1)
    image = SyntheticLesions(1, (side, side))[0]["image"][None].numpy()
    return lambda: predictor.run(image)


def main() -> None:
    options = arguments(__doc__ or "", rounds=15).parse_args()
    torch.set_num_threads(1)
    facts: dict[str, tuple[int, int, int]] = {}
    makers = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (source, full) in CONTESTANTS.items():
            side = 32 if options.small else full
            network = build(source)
            path = Path(folder, f"{len(makers)}.onnx")
            proto = to_onnx(Deployable(network), torch.rand(1, 3, side, side), None)
            save_onnx(proto, ExportMetadata(size=(side, side), threshold=0.5), path)
            makers[name] = (session, (path, side))
            parameters = sum(parameter.numel() for parameter in network.parameters())
            facts[name] = (side, parameters, count_macs(network, (side, side)))
        seconds = in_turn_apart(makers, options.rounds)
    rows = [
        [
            name,
            f"{side} x {side}",
            f"{parameters / 1e6:.2f}",
            f"{macs / 1e9:.2f}",
            spread(seconds[name]),
            ratio(seconds[name], seconds[PEER]),
        ]
        for name, (side, parameters, macs) in facts.items()
    ]
    report(
        "pretrained",
        ["network", "image", "million parameters", "billion MACs", "ms", f"ratio to {PEER}"],
        rows,
        options,
        ["Median of one image in ONNX Runtime with one thread, with minimum and maximum."],
    )


if __name__ == "__main__":
    main()
