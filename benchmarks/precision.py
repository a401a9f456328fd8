"""bf16 autocast, channels_last and torch.compile against plain fp32, in training and inference."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import measure
import torch
from torch import nn

from lesionseg.losses import create_loss
from lesionseg.networks import create_network


class Case(NamedTuple):
    """A network and what it is fed with: images, height, width."""

    network: str
    shape: tuple[int, int, int]


class Setting(NamedTuple):
    """A way to run a network."""

    bfloat16: bool = False
    channels_last: bool = False
    compiled: bool = False


CASES = (
    Case("asnet", (12, 192, 256)),
    Case("mobilegan", (8, 128, 128)),
    Case("asnet-lite", (16, 192, 192)),
    Case("smp:unet/resnet34", (8, 128, 128)),
)
SETTINGS = {
    "fp32": Setting(),
    "channels_last": Setting(channels_last=True),
    "bf16": Setting(bfloat16=True),
    "bf16, channels_last": Setting(bfloat16=True, channels_last=True),
    "compiled": Setting(compiled=True),
}


def contestants(
    case: Case, settings: dict[str, Setting], training: bool
) -> dict[str, Callable[[], None]]:
    """Make a function that runs an optimizer step, or inference of a batch."""
    return {name: _contestant(case, setting, training) for name, setting in settings.items()}


def _contestant(case: Case, setting: Setting, training: bool) -> Callable[[], None]:
    torch.manual_seed(0)
    network: nn.Module = create_network(case.network).train(training)
    count, height, width = case.shape
    image = torch.rand(count, 3, height, width)
    mask = (torch.rand(count, 1, height, width) > 0.5).float()
    if setting.channels_last:
        network.to(memory_format=torch.channels_last)  # the maps follow the weights
    if setting.compiled:
        network.compile(dynamic=False)  # else the second shape of a class compiles for minutes
    loss = create_loss("joint")
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, fused=True)

    def forward() -> torch.Tensor:
        low = torch.autocast("cpu", torch.bfloat16) if setting.bfloat16 else nullcontext()
        with low:
            logits: torch.Tensor = network(image)
        return logits

    def train() -> None:
        optimizer.zero_grad()
        loss(forward(), mask).backward()
        optimizer.step()

    @torch.inference_mode()
    def infer() -> None:
        forward()

    return train if training else infer


def final_loss(case: Case, setting: Setting, steps: int, change: float = 0.0) -> float:
    """Return the mean training loss over the last quarter of a short training on synthetic lesions.

    ``change`` is how much, relatively, the weights are changed at random before it.
    """
    torch.manual_seed(0)
    network: nn.Module = create_network(case.network).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + change * torch.randn_like(parameter))
    torch.manual_seed(0)
    if setting.channels_last:
        network.to(memory_format=torch.channels_last)
    count, height, width = case.shape
    data = measure.drawn_batch(8 * count, (height, width))
    loss = create_loss("joint")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    losses = []
    for step in range(steps):
        part = slice(step % 8 * count, step % 8 * count + count)
        with torch.autocast("cpu", torch.bfloat16, enabled=setting.bfloat16):
            logits = network(data["image"][part])
        optimizer.zero_grad()
        now = loss(logits, data["mask"][part])
        now.backward()
        optimizer.step()
        losses.append(now.item())
    last = losses[-max(steps // 4, 1) :]
    return sum(last) / len(last)


def main() -> None:
    options = measure.arguments(__doc__, rounds=7)
    options.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    arguments = options.parse_args()
    cases, settings, notes = CASES, dict(SETTINGS), [measure.bf16_abilities()]
    if arguments.small:
        cases = (Case("mobilegan", (2, 32, 32)), Case("smp:unet/resnet18", (2, 32, 32)))
    if arguments.small or arguments.no_compile or not shutil.which("g++"):
        settings = {name: each for name, each in settings.items() if not each.compiled}
        notes.append("torch.compile is left out: asked for, or there is no C++ compiler.")
    rows = []
    for case in cases:
        for training in (True, False):
            work = contestants(case, settings, training)
            start = time.perf_counter()
            if "compiled" in work:
                work["compiled"]()
            first = time.perf_counter() - start
            seconds = measure.in_turn(work, arguments.rounds, warmup=2)
            plain = seconds["fp32"]
            count, height, width = case.shape
            rows.append(
                [
                    f"{case.network}, {count} x {height} x {width}",
                    "training step" if training else "inference",
                    measure.spread(plain),
                    *(measure.ratio(plain, other) for other in list(seconds.values())[1:]),
                    *([f"{first:.0f}"] if "compiled" in work else []),
                ]
            )
    names = [f"{name}, speedup" for name in list(settings)[1:]]
    names += ["first compiled call, s"] if "compiled" in settings else []
    measure.report("precision", ["what", "work", "fp32 ms", *names], rows, arguments, notes)

    short = [Case("asnet", (4, 96, 128)), Case("mobilegan", (4, 64, 64))]
    steps = 2 if arguments.small else 80
    plain_settings = {name: each for name, each in SETTINGS.items() if not each.compiled}
    rows = [
        [
            f"{case.network}, {steps} steps of {count} x {height} x {width}",
            *(f"{final_loss(case, setting, steps):.4f}" for setting in plain_settings.values()),
            f"{final_loss(case, Setting(), steps, change=1e-7):.4f}",
        ]
        for case in short
        for count, height, width in [case.shape]
    ]
    header = ["training loss", *plain_settings, "fp32, weights changed by 1e-7"]
    measure.report("precision-losses", header, rows, arguments)


if __name__ == "__main__":
    main()
