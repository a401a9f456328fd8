"""Position attention on torch's fused kernel against the naive formula: time and memory."""

from __future__ import annotations

from collections.abc import Callable

import measure
import torch
from torch import Tensor

from lesionseg.blocks import PositionAttentionModule

CHANNELS = 32


def naive_forward(module: PositionAttentionModule, x: Tensor) -> Tensor:
    """The formula as it is mostly written: two products and a softmax over an N x N map."""
    query = module.query(x).flatten(2).transpose(1, 2)
    key = module.key(x).flatten(2)
    value = module.value(x).flatten(2)
    weights = torch.bmm(query, key).softmax(dim=-1)
    attended = torch.bmm(value, weights.transpose(1, 2)).reshape(x.shape)
    return module.gamma * attended + x


def module_of() -> PositionAttentionModule:
    """A module whose attention is switched on."""
    torch.manual_seed(0)
    module = PositionAttentionModule(CHANNELS)
    torch.nn.init.constant_(module.gamma, 0.5)
    return module


def training(
    forward: Callable[[PositionAttentionModule, Tensor], Tensor], count: int, side: int
) -> Callable[[], list[Tensor]]:
    """Make a function that runs forward and backward and returns the output and all gradients."""
    module = module_of()
    x = torch.randn(count, CHANNELS, side, side, requires_grad=True)

    def work() -> list[Tensor]:
        out = forward(module, x)
        return [out, *torch.autograd.grad(out.square().mean(), [x, *module.parameters()])]

    return work


def inference(
    forward: Callable[[PositionAttentionModule, Tensor], Tensor], count: int, side: int
) -> Callable[[], Tensor]:
    """Make a function that runs forward without gradients."""
    module = module_of()
    x = torch.randn(count, CHANNELS, side, side)
    return torch.inference_mode()(lambda: forward(module, x))


WAYS = {"ours": PositionAttentionModule.forward, "naive": naive_forward}
KINDS = {"training": training, "inference": inference}


def memory(way: str, kind: str, count: int, side: int) -> int:
    """Return the extra bytes of a call; run it in a fresh process."""
    KINDS[kind](WAYS[way], 1, 8)()  # loads what the first call loads
    work = KINDS[kind](WAYS[way], count, side)
    return measure.extra_memory(work)


def check_equal() -> None:
    """Raises where the two are not the same function."""
    x = (2, 16)
    for found, expected in zip(
        training(WAYS["ours"], *x)(), training(naive_forward, *x)(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def main() -> None:
    options = measure.arguments(__doc__, rounds=9).parse_args()
    check_equal()
    sizes = (8, 16, 32) if options.small else (64, 128, 256)
    megabytes = 2**20
    rows = []
    for kind, count in (("training", 8), ("inference", 1)):
        side = sizes[0]
        work = {name: KINDS[kind](way, count, side) for name, way in WAYS.items()}
        seconds = measure.in_turn(work, options.rounds)
        extra = {name: measure.in_own_process(memory, name, kind, count, side) for name in WAYS}
        rows.append(
            [
                f"{kind}, batch {count}, N {side * side}",
                measure.spread(seconds["ours"]),
                measure.spread(seconds["naive"]),
                measure.ratio(seconds["naive"], seconds["ours"]),
                f"{extra['ours'] / megabytes:.0f}",
                f"{extra['naive'] / megabytes:.0f}",
                f"{extra['naive'] / max(extra['ours'], 1):.1f}",
            ]
        )
    header = ["one module, C 32", "ours, ms", "naive, ms", "speedup"]
    header += ["ours, MiB", "naive, MiB", "memory ratio"]
    measure.report("attention", header, rows, options)

    rows = []
    for side in sizes:
        grown = measure.in_own_process(memory, "ours", "training", 1, side)
        rows.append(
            [
                f"{side} x {side}, N {side * side}",
                f"{grown / megabytes:.1f}",
                f"{grown / side**2 / 1024:.2f}",
                f"{side**4 * 4 / megabytes:,.0f}",
            ]
        )
    header = ["training, one image", "ours, MiB", "KiB per pixel", "one N x N map, MiB"]
    measure.report("attention-memory", header, rows, options)


if __name__ == "__main__":
    main()
