"""MobileGAN's training step, with and without the discriminator, by implementation of attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import measure
import torch
from attention import naive_forward

from lesionseg.blocks import PositionAttentionModule, attention
from lesionseg.models import MobileGAN


class Way(NamedTuple):
    """How attention is computed, and whether the adversary trains."""

    forward: Callable[..., torch.Tensor] = PositionAttentionModule.forward
    floor: float = attention._NEGLIGIBLE  # exponent of the least weight of channel attention
    key_stride: int = 1  # in the large layers
    adversary: bool = True


OURS = "ours"
ALONE = "ours, without the adversary"
NAIVE = "naive position attention"
WAYS = {
    OURS: Way(),
    NAIVE: Way(naive_forward),
    f"{OURS}, denormal weights kept in channel attention": Way(floor=-torch.inf),
    f"{NAIVE}, denormal weights kept": Way(naive_forward, floor=-torch.inf),
    f"{OURS}, keys pooled by 2": Way(key_stride=2),
    f"{OURS}, keys pooled by 4": Way(key_stride=4),
    ALONE: Way(adversary=False),
    f"{ALONE}, keys pooled by 2": Way(key_stride=2, adversary=False),
    f"{ALONE}, keys pooled by 4": Way(key_stride=4, adversary=False),
}
#: Ways whose memory differs.
MEMORY = [name for name, way in WAYS.items() if way.floor == Way().floor]
POOLED: list[PositionAttentionModule] = []  # the layers whose keys key_stride pools


def take(way: str) -> None:
    """Switch all attention modules to an implementation, and the adversary on or off."""
    forward, floor, stride, adversary = WAYS[way]
    PositionAttentionModule.forward = forward  # type: ignore[method-assign]
    attention._NEGLIGIBLE = floor
    MobileGAN.adversary_active = property(lambda _: adversary)  # type: ignore[assignment]
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
    measured = MEMORY[:2] if options.small else MEMORY
    extra = {way: measure.in_own_process(memory, way, count, side) for way in measured}
    rows = [
        [
            way,
            measure.spread(seconds),
            measure.ratio(seconds, turns.seconds[base]),
            f"{extra[way] / 2**20:.0f}" if way in extra else "as above",
            f"{extra[way] / max(extra[base], 1):.1f}" if way in extra else "",
        ]
        for way, seconds in turns.seconds.items()
        for base in [OURS if WAYS[way].adversary else ALONE]
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
