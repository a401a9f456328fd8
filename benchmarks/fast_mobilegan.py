"""Time MobileGAN with pooled keys against the paper's attention and U-Nets, a single image.

All networks are exported by the same exporter and run in turn, with one thread and with two: by
ONNX Runtime at two image sizes, or by ExecuTorch with XNNPACK as on a phone. MobileGAN's weights
are those of the released model, whatever the pooling; those of the U-Nets are random, which does
not change their time. Without attention the network is useless: it shows what no faster attention
can undercut.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from measure import arguments, in_turn_apart, median, report, spread

from lesionseg.blocks import ChannelAttentionModule, PositionAttentionModule
from lesionseg.data import SyntheticLesions
from lesionseg.export import Deployable
from lesionseg.export.deployable import AttentionExport
from lesionseg.export.quantize_onnx import quantize_onnx
from lesionseg.export.to_executorch import load_executorch, to_executorch
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.networks import create_network

RESNET = "U-Net ResNet34"
MOBILENET = "U-Net MobileNetV2"
PAPER = "MobileGAN, the paper's attention"
EVERY = (32, 128, 256)


class Contestant(NamedTuple):
    """A U-Net's encoder, or how MobileGAN is built and exported."""

    encoder: str | None = None
    key_stride: int = 1
    attention: AttentionExport | Literal["none"] = "standard"
    int8: bool = False
    sides: tuple[int, ...] = (128, 256)  # of the images; 32 in the small run


CONTESTANTS = {
    PAPER: Contestant(sides=EVERY),
    "MobileGAN, keys pooled by 2": Contestant(key_stride=2),
    "MobileGAN, keys pooled by 2, whole map": Contestant(
        key_stride=2, attention="whole", sides=(128,)
    ),
    "MobileGAN, keys pooled by 2, fused": Contestant(key_stride=2, attention="fused", sides=(128,)),
    "MobileGAN, keys pooled by 2, int8": Contestant(key_stride=2, int8=True, sides=EVERY),
    "MobileGAN, keys pooled by 4": Contestant(key_stride=4),
    "MobileGAN, keys pooled by 4, int8": Contestant(key_stride=4, int8=True, sides=(128,)),
    "MobileGAN, keys pooled by 8": Contestant(key_stride=8, sides=(256,)),
    "MobileGAN without attention": Contestant(attention="none"),
    RESNET: Contestant("resnet34", sides=EVERY),
    MOBILENET: Contestant("mobilenet_v2", sides=EVERY),
}
#: Runtime, side of the image, threads.
SETTINGS = (
    ("ONNX Runtime", 128, 2),
    ("ONNX Runtime", 128, 1),
    ("ONNX Runtime", 256, 2),
    ("ONNX Runtime", 256, 1),
    ("ExecuTorch", 128, 2),
    ("ExecuTorch", 128, 1),
)


def build(contestant: Contestant) -> torch.nn.Module:
    """Return a contestant's network."""
    if contestant.encoder is not None:
        return create_network(f"smp:unet/{contestant.encoder}").eval()
    network = create_network("mobilegan", key_stride=contestant.key_stride).eval()
    network.load_state_dict(predictor_of_checkpoint("mobilegan").network.state_dict())
    if contestant.attention == "none":
        for module in network.modules():
            if isinstance(module, (ChannelAttentionModule, PositionAttentionModule)):
                module.forward = lambda x: x  # type: ignore[method-assign]
    return network


def write(contestant: Contestant, runtime: str, side: int, path: Path) -> None:
    """Export a contestant."""
    way = None if contestant.attention == "none" else contestant.attention
    network = Deployable(build(contestant), attention=way)
    metadata = ExportMetadata(size=(side, side), threshold=0.5)
    lesions = SyntheticLesions(8, (side, side))
    images = [lesions[index]["image"][None] for index in range(8)]
    if runtime == "ExecuTorch":
        calibration = images if contestant.int8 else None
        path.write_bytes(to_executorch(network, images[0], metadata, calibration))
        return
    proto = to_onnx(network, images[0], None)
    if contestant.int8:
        proto = quantize_onnx(proto, [image.numpy() for image in images])
    save_onnx(proto, metadata, path)


def session(path: Path, runtime: str, side: int, threads: int) -> Callable[[], object]:
    """Return what runs an exported file."""
    image = SyntheticLesions(1, (side, side))[0]["image"][None]
    if runtime == "ExecuTorch":
        from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool

        _unsafe_reset_threadpool(threads)
        run = load_executorch(path)
        return lambda: run(image)
    predictor: Any = ExportedPredictor(path, threads=threads)
    return lambda: predictor.run(image.numpy())


def main() -> None:
    parser = arguments(__doc__ or "", rounds=10)
    runtimes = list(dict.fromkeys(runtime for runtime, _, _ in SETTINGS))
    parser.add_argument("--runtime", choices=runtimes, default=runtimes[0])
    options = parser.parse_args()
    settings = [setting for setting in SETTINGS if setting[0] == options.runtime]
    if options.small:
        settings = [(options.runtime, 32, 1)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for runtime, side, threads in settings:
            makers = {}
            paths = {}
            for index, (name, contestant) in enumerate(CONTESTANTS.items()):
                if side not in contestant.sides or (
                    runtime == "ExecuTorch" and contestant.attention == "fused"
                ):
                    continue
                paths[name] = path = Path(folder, f"{runtime}-{side}-{index}")
                if not path.exists():
                    write(contestant, runtime, side, path)
                makers[name] = (session, (path, runtime, side, threads))
            seconds = in_turn_apart(makers, options.rounds)
            for name, times in seconds.items():
                ratios = [
                    f"{median(times) / median(seconds[other]):.2f}"
                    for other in (RESNET, MOBILENET, PAPER)
                ]
                megabytes = f"{paths[name].stat().st_size / 1e6:.1f}"
                setting = f"{runtime}, {side} x {side}, {threads} thread{'s' * (threads > 1)}"
                rows.append([setting, name, spread(times), *ratios, megabytes])
                print(*rows[-1], sep="  ", flush=True)
    header = [
        "runtime, image, threads",
        "network",
        "ms",
        f"relative to {RESNET}",
        f"to {MOBILENET}",
        "to the paper's attention",
        "file MB",
    ]
    runtime = options.runtime.partition(" ")[0].lower()
    report(f"fast-mobilegan-{runtime}", header, rows, options)


if __name__ == "__main__":
    main()
