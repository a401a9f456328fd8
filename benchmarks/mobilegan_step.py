"""MobileGAN's training step, generator and discriminator, by implementation of attention."""

from __future__ import annotations

from collections.abc import Callable

import measure
import torch
from attention import naive_forward

from lesionseg.blocks import PositionAttentionModule, attention
from lesionseg.models import MobileGAN

FUSED = PositionAttentionModule.forward
FLOOR = attention._NEGLIGIBLE

# Position attention, the exponent below which channel attention sets a weight to 0, and the stride
# of the keys in the large layers.
WAYS: dict[str, tuple[Callable[..., torch.Tensor], float, int]] = {
    "ours": (FUSED, FLOOR, 1),
    "naive position attention": (naive_forward, FLOOR, 1),
    "ours, denormal weights kept in channel attention": (FUSED, -torch.inf, 1),
    "naive position attention, denormal weights kept": (naive_forward, -torch.inf, 1),
    "ours, keys pooled by 2": (FUSED, FLOOR, 2),
    "ours, keys pooled by 4": (FUSED, FLOOR, 4),
}
#: Ways whose memory differs.
MEMORY = ("ours", "naive position attention", "ours, keys pooled by 2", "ours, keys pooled by 4")
POOLED: list[PositionAttentionModule] = []  # the layers whose keys key_stride pools


def take(way: str) -> None:
    """Switch all attention modules to an implementation."""
    forward, floor, stride = WAYS[way]
    PositionAttentionModule.forward = forward  # type: ignore[method-assign]
    attention._NEGLIGIBLE = floor
    for module in POOLED:
        module.key_stride = stride


def model_of(size: tuple[int, int]) -> MobileGAN:
    """Return the paper's model, with attention switched on as after some steps."""
    torch.manual_seed(0)
    model = MobileGAN(size=size, key_stride=2)
    POOLED[:] = [
        module
        for module in model.network.modules()
        if isinstance(module, PositionAttentionModule) and module.key_stride == 2
    ]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".gamma"):
                parameter.fill_(0.3)
    return model


def memory(way: str, count: int, side: int) -> int:
    """Return the extra bytes of the first two steps, including gradients and Adam's state."""
    model = model_of((32, 32))
    take(way)
    measure.quiet_trainer().fit(model, _loader([measure.drawn_batch(2, (32, 32))]))
    model, data = model_of((side, side)), [measure.drawn_batch(count, (side, side))] * 2
    take(way)
    return measure.extra_memory(lambda: measure.quiet_trainer().fit(model, _loader(data)))


def _loader(batches: object) -> torch.utils.data.DataLoader[object]:
    return torch.utils.data.DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


def main() -> None:
    options = measure.arguments(__doc__, rounds=7).parse_args()
    count, side = (2, 32) if options.small else (8, 128)
    turns = measure.TrainerTurns(
        measure.drawn_batch(count, (side, side)),
        steps=1,
        rounds=options.rounds,
        ways={name: lambda name=name: take(name) for name in WAYS},  # type: ignore[misc]
    )
    measure.quiet_trainer().fit(model_of((side, side)), turns)
    ours = turns.seconds["ours"]
    extra = {way: measure.in_own_process(memory, way, count, side) for way in MEMORY}
    rows = [
        [
            way,
            measure.spread(seconds),
            measure.ratio(seconds, ours),
            f"{extra[way] / 2**20:.0f}" if way in extra else "as above",
            f"{extra[way] / max(extra['ours'], 1):.1f}" if way in extra else "",
        ]
        for way, seconds in turns.seconds.items()
    ]
    header = [
        f"step of {count} images, {side} x {side}",
        "ms",
        "relative to ours",
        "MiB",
        "relative to ours",
    ]
    measure.report("mobilegan-step", header, rows, options)


if __name__ == "__main__":
    main()
