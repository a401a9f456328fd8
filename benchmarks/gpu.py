"""On a GPU: training and the generator's throughput, and how far both are from the card's limits.

Without a GPU it says so and stops; ``--device cpu`` runs it all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import measure
import torch
from attention import naive_forward
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lesionseg.blocks import PositionAttentionModule
from lesionseg.models import ASNet, MobileGAN
from lesionseg.networks import create_network

FUSED = PositionAttentionModule.forward


class PlainUNet(LightningModule):
    """What people would use instead: smp's U-Net in the shortest LightningModule."""

    def __init__(self) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp

        self.network = smp.Unet("resnet34", encoder_weights=None)
        self.loss = smp.losses.DiceLoss("binary")

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self.network(batch["image"]), batch["mask"])
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-4)


class ByteCounter(TorchDispatchMode):
    """Adds up what every operation reads and writes, as if nothing stayed in a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [
                leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)
            ]
            self.total += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return out


@contextmanager
def naive_attention() -> Iterator[None]:
    """Within it, all position attention builds its map."""
    PositionAttentionModule.forward = naive_forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        PositionAttentionModule.forward = FUSED  # type: ignore[method-assign]


def counted(step: Callable[[], object]) -> tuple[int, int]:
    """Return the operations (two per multiply-accumulate) and bytes of a step.

    Operations are those of the naive formula, without the fused kernel's padding and repetitions.
    """
    with naive_attention(), FlopCounterMode(display=False) as operations:
        step()
    with ByteCounter() as traffic:
        step()
    return operations.get_total_flops(), traffic.total


class Machine:
    """The device, its clock and its ceilings.

    Attributes:
        operations: Per second, of a large bf16 matrix product.
        bytes: Per second, read and written by a large copy.
    """

    def __init__(self, device: str, small: bool) -> None:
        self.device = torch.device(device)
        side = 256 if small else 8192
        a = torch.randn(side, side, device=self.device, dtype=torch.bfloat16)
        self.operations = 2 * side**3 / self.best(lambda: a @ a)
        source = torch.zeros((1 if small else 1024) * 2**20, dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        self.bytes = 2 * source.numel() / self.best(lambda: target.copy_(source))

    def wait(self) -> None:
        """Wait for all work to be done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def best(self, work: Callable[[], object], repeats: int = 20) -> float:
        """Return the least seconds of a call."""
        work()
        seconds = []
        for _ in range(repeats):
            self.wait()
            start = time.perf_counter()
            work()
            self.wait()
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    def shares(self, operations: int, traffic: int, seconds: float) -> list[str]:
        """Both rates, and how much of its ceiling each is."""
        rates = (operations / seconds, traffic / seconds)
        return [
            f"{rates[0] / 1e12:.2f} ({rates[0] / self.operations:.0%})",
            f"{rates[1] / 1e9:.0f} ({rates[1] / self.bytes:.0%})",
        ]


def training_cases(small: bool) -> dict[str, tuple[Callable[[], LightningModule], int, Any, bool]]:
    """Model, batch size, image size, and whether attention is naive."""
    large, square = ((32, 32), (32, 32)) if small else ((192, 256), (128, 128))
    batches = (2, 2) if small else (12, 8)
    cases: dict[str, tuple[Callable[[], LightningModule], int, Any, bool]] = {}
    for times in (1,) if small else (1, 4):
        asnet, gan = batches[0] * times, batches[1] * times
        size = f"{large[0]} x {large[1]}"
        cases[f"ASNet, {asnet} x {size}"] = (lambda: ASNet(size=large), asnet, large, False)
        cases[f"ASNet, channels_last, {asnet} x {size}"] = (
            lambda: ASNet(size=large, channels_last=True),
            asnet,
            large,
            False,
        )
        cases[f"smp U-Net, {asnet} x {size}"] = (PlainUNet, asnet, large, False)
        size = f"{square[0]} x {square[1]}"
        cases[f"MobileGAN, {gan} x {size}"] = (lambda: MobileGAN(size=square), gan, square, False)
        cases[f"MobileGAN, naive attention, {gan} x {size}"] = (
            lambda: MobileGAN(size=square),
            gan,
            square,
            True,
        )
        cases[f"smp U-Net, {gan} x {size}"] = (PlainUNet, gan, square, False)
    return cases


def train(machine: Machine, options: Any) -> None:
    """Measure images per second through the Trainer in bf16."""
    steps = 2 if options.small else 20
    cases = training_cases(options.small)
    models = {name: make() for name, (make, *_) in cases.items()}
    batches = {name: measure.drawn_batch(case[1], case[2]) for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in cases}

    def fit(name: str, turns: Any) -> None:
        trainer = measure.quiet_trainer(
            accelerator="gpu" if machine.device.type == "cuda" else "cpu", precision="bf16-mixed"
        )
        if cases[name][3]:
            with naive_attention():
                trainer.fit(models[name], turns)
        else:
            trainer.fit(models[name], turns)

    for _ in range(options.rounds):
        for name, batch in batches.items():
            turns = measure.TrainerTurns(batch, steps, 1, {name: machine.wait})
            fit(name, turns)
            seconds[name].append(turns.seconds[name][0] / steps)
    rows = []
    for name, (_, count, _, naive) in cases.items():
        once = torch.utils.data.DataLoader([batches[name]], batch_size=None)  # type: ignore[arg-type, var-annotated]
        operations, traffic = counted(lambda name=name, once=once: fit(name, once))  # type: ignore[misc]
        middle = measure.median(seconds[name])
        shares = machine.shares(operations, traffic, middle)
        shares[1] = "-" if naive else shares[1]  # counted with the fused kernel
        rows.append([name, f"{count / middle:.0f}", measure.spread(seconds[name]), *shares])
    header = ["training in bf16", "images per second", "ms per step"]
    header += ["TFLOP/s (of the ceiling)", "GB/s (of the ceiling)"]
    measure.report("gpu-training", header, rows, options, ceilings(machine))


def generate(machine: Machine, options: Any) -> None:
    """Measure images per second of MobileGAN's generator."""
    side = 32 if options.small else 128
    network: nn.Module = create_network("mobilegan").to(machine.device).eval()
    rows = []
    for count in (1, 2) if options.small else (1, 2, 4, 8, 16, 32, 64):
        image = torch.rand(count, 3, side, side, device=machine.device)
        work = {
            "fp32": _generation(machine, network, image, bfloat16=False),
            "bf16": _generation(machine, network, image, bfloat16=True),
        }
        seconds = measure.in_turn(work, options.rounds, warmup=3)
        with torch.inference_mode():
            cost = counted(work["bf16"])
        middles = {name: measure.median(values) for name, values in seconds.items()}
        rows.append(
            [
                str(count),
                *(f"{count / middle:.0f}" for middle in middles.values()),
                *(f"{1e3 * middle:.2f}" for middle in middles.values()),
                *machine.shares(*cost, middles["bf16"]),
            ]
        )
    header = [f"images of {side} x {side} at once", "images per second, fp32", "bf16"]
    header += ["ms, fp32", "ms, bf16", "TFLOP/s, bf16", "GB/s, bf16"]
    measure.report("gpu-generator", header, rows, options, ceilings(machine))


def _generation(
    machine: Machine, network: nn.Module, image: Tensor, bfloat16: bool
) -> Callable[[], None]:
    @torch.inference_mode()
    def work() -> None:
        with torch.autocast(machine.device.type, torch.bfloat16, enabled=bfloat16):
            network(image)
        machine.wait()

    return work


def ceilings(machine: Machine) -> list[str]:
    """A note on them."""
    return [
        f"Ceilings measured in the same run: {machine.operations / 1e12:.1f} TFLOP/s in a bf16 "
        f"matrix product, {machine.bytes / 1e9:.0f} GB/s read and written in a copy."
    ]


def main() -> None:
    parser = measure.arguments(str(__doc__).partition("\n")[0], rounds=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the GPU")
    options = parser.parse_args()
    device = options.device or ("cuda" if torch.cuda.is_available() else None)
    if device is None and not options.small:
        print("no GPU found; use --device cpu to run this benchmark on the CPU")
        return
    machine = Machine(device or "cpu", options.small)
    train(machine, options)
    generate(machine, options)


if __name__ == "__main__":
    main()
