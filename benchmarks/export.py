"""Time MobileGAN's generator, eager and exported, against exported U-Nets, on a single image.

Weights are random unless ``--checkpoint`` names a trained MobileGAN, whose attention produces
denormal numbers.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from measure import (
    arguments,
    extra_memory,
    in_own_process,
    in_turn_apart,
    median,
    ratio,
    report,
    spread,
)

from lesionseg.blocks import PositionAttentionModule
from lesionseg.data import SyntheticLesions
from lesionseg.export import Deployable
from lesionseg.export.deployable import attend_whole
from lesionseg.export.quantize_onnx import quantize_onnx
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.networks import create_network


def generator(checkpoint: str | None) -> torch.nn.Module:
    """MobileGAN's generator with its attention switched on."""
    if checkpoint is not None:
        return predictor_of_checkpoint(checkpoint).network
    torch.manual_seed(0)
    network = create_network("mobilegan").eval()
    for name, parameter in network.named_parameters():
        if name.endswith(".gamma"):
            parameter.data.fill_(0.3)
    return network


class Exported:
    """Exported files of networks in a folder."""

    def __init__(self, folder: str, size: tuple[int, int]) -> None:
        self.folder = Path(folder)
        self.size = size
        lesions = SyntheticLesions(8, size)
        self.images = [lesions[index]["image"][None].numpy() for index in range(8)]

    def write(
        self, name: str, network: torch.nn.Module, attention: Any = "standard", int8: bool = False
    ) -> Path:
        """The path of a network's file."""
        path = self.folder / f"{name.replace(' ', '-').replace(',', '')}.onnx"
        proto = to_onnx(
            Deployable(network, attention=attention), torch.rand(1, 3, *self.size), None
        )
        if int8:
            proto = quantize_onnx(proto, self.images)
        save_onnx(proto, ExportMetadata(size=self.size, threshold=0.5), path)
        return path


def synthetic(size: tuple[int, int]) -> Any:
    """Return a synthetic image, float32 (1, 3, H, W)."""
    return SyntheticLesions(1, size)[0]["image"][None].numpy()


def plain_session(path: Path, size: tuple[int, int]) -> Callable[[], object]:
    """ONNX Runtime as it comes."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = synthetic(size)
    return lambda: session.run(None, {"image": image})


def our_session(path: Path, size: tuple[int, int]) -> Callable[[], object]:
    """As lesionseg segment runs it."""
    predictor, image = ExportedPredictor(path), synthetic(size)
    return lambda: predictor.run(image)


def eager(checkpoint: str | None, naive: bool, size: tuple[int, int]) -> Callable[[], object]:
    """The generator in torch."""
    network = generator(checkpoint)
    if naive:
        for module in network.modules():
            if isinstance(module, PositionAttentionModule):
                module.attend = attend_whole  # type: ignore[method-assign]
    image = torch.from_numpy(synthetic(size))

    def run() -> object:
        with torch.inference_mode():
            return network(image)

    return run


# Operators by kind; pooling, resizing, additions and changes of memory order are the rest.
KINDS = {
    "convolutions": ("Conv", "ConvTranspose", "FusedConv", "QLinearConv"),
    "attention": (
        "MatMul",
        "FusedMatMul",
        "QLinearMatMul",
        "MatMulIntegerToFloat",
        "Softmax",
        "MultiHeadAttention",
    ),
    "to and from int8": ("QuantizeLinear", "DequantizeLinear"),
}


def milliseconds_of(path: Path, size: tuple[int, int], runs: int) -> Counter[str]:
    """Return the milliseconds of each kind of operator: the sum of its nodes' medians."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = f"{folder}/profile"
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        image = synthetic(size)
        for _ in range(runs + 1):
            session.run(None, {"image": image})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event["name"].endswith("_kernel_time"):
            nodes.setdefault((event["args"]["op_name"], event["name"]), []).append(event["dur"])
    kinds: Counter[str] = Counter()
    for (operator, _), durations in nodes.items():
        kind = next((kind for kind, names in KINDS.items() if operator in names), "the rest")
        kinds[kind] += statistics.median(durations) / 1e3
    return kinds


def memory_of(path: Path, naive: bool, size: tuple[int, int]) -> int:
    """Return the bytes of a pass of a single image, without the session."""
    return extra_memory((plain_session if naive else our_session)(path, size))


def ceilings() -> tuple[float, float]:
    """This machine's float32 multiply-adds and exponentials per second, in cache."""
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    numbers = torch.rand(2**16)

    def best(work: Callable[[], object], repeat: int) -> float:
        times = []
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(repeat):
                work()
            times.append((time.perf_counter() - start) / repeat)
        return min(times)

    return 1024**3 / best(lambda: a @ b, 4), 2**16 / best(lambda: torch.exp(numbers), 50)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=10)
    parser.add_argument("--checkpoint", help="of a trained MobileGAN")
    options = parser.parse_args()
    size = (32, 32) if options.small else (128, 128)
    network = generator(options.checkpoint)
    encoders = {"U-Net ResNet34": "resnet34", "U-Net MobileNetV2": "mobilenet_v2"}
    with tempfile.TemporaryDirectory() as folder:
        exported = Exported(folder, size)
        files = {"naive, ONNX": exported.write("naive", network, "whole")}
        files["standard, ONNX"] = exported.write("standard", network)
        if not options.small:
            files["fused, ONNX"] = exported.write("fused", network, "fused")
            files["standard, ONNX int8"] = exported.write("int8", network, int8=True)
            for name, encoder in encoders.items():
                unet = create_network(f"smp:unet/{encoder}").eval()
                files[f"smp {name}, ONNX"] = exported.write(name, unet)
                files[f"smp {name}, ONNX int8"] = exported.write(name + " int8", unet, int8=True)
        makers: dict[str, Any] = {
            "naive, eager": (eager, (options.checkpoint, True, size)),
            "eager": (eager, (options.checkpoint, False, size)),
        }
        for name, path in files.items():
            makers[name] = (plain_session if name == "naive, ONNX" else our_session, (path, size))
        seconds = in_turn_apart(makers, options.rounds)
        rows = []
        for name, times in seconds.items():
            row = [named(name), spread(times)]
            row += [ratio(seconds["naive, eager"], times), ratio(seconds["naive, ONNX"], times)]
            row.append(f"{files[name].stat().st_size / 1e6:.1f}" if name in files else "")
            if name in ("naive, ONNX", "standard, ONNX", "fused, ONNX"):
                memory = in_own_process(memory_of, files[name], name == "naive, ONNX", size)
                row.append(f"{memory / 2**20:.0f}")
            else:
                row.append("")
            rows.append(row)
        shares = []
        for name, path in files.items():
            kinds = in_own_process(milliseconds_of, path, size, 3 * options.rounds)
            columns = (*KINDS, "the rest")
            shares.append([named(name), *(f"{kinds[kind]:.1f}" for kind in columns)])
    notes = [] if options.small else [floor(seconds)]
    header = ("one image", "ms: median [range]", "naive eager / this", "naive ONNX / this")
    name = "export" if options.checkpoint is None else "export-trained"
    report(name, (*header, "file MB", "memory MiB"), rows, options, notes)
    header = ("one image, ms", *columns)
    report(f"{name}-operators", header, shares, options)


def named(contestant: str) -> str:
    """Return the first column."""
    return contestant if contestant.startswith("smp") else f"MobileGAN {contestant}"


def floor(seconds: dict[str, list[float]]) -> str:
    """Return the time of the operations at the speed measured on this machine."""
    # 128 x 128: convolutions 1.16 G; q k and weights x v over N positions: N^2 (C / 8 + C) each
    layers = ((4096, 32), (1024, 64), (256, 128), (256, 128), (1024, 64), (4096, 32))
    attention = sum(n * n * (c // 8 + c) for n, c in layers)
    exponentials = sum(n * n for n, _ in layers)
    products, exps = ceilings()
    least = 1e3 * ((1.16e9 + attention) / products + exponentials / exps)
    unet = 1e3 * median(seconds["smp U-Net ResNet34, ONNX"])
    return (
        f"Floor of the generator in float32: 1.16 + {attention / 1e9:.2f} GMAC at the "
        f"{products / 1e9:.0f} GMAC/s of a 1024 x 1024 product, and {exponentials / 1e6:.0f} M "
        f"exponentials at {exps / 1e9:.2f} G/s: {least:.0f} ms, with nothing read, written or "
        f"summed; U-Net ResNet34 takes {unet:.0f} ms."
    )


if __name__ == "__main__":
    main()
