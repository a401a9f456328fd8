"""Time ASNet's training through the Trainer against a plain PyTorch loop."""

from __future__ import annotations

import io
import statistics
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import measure
import torch

from lesionseg.callbacks.csv_logger import RunLogger
from lesionseg.losses import joint_loss
from lesionseg.models import ASNet
from lesionseg.networks import create_network


def bare_loop(batch: dict[str, Any], steps: int) -> Callable[[], None]:
    """Make a function that runs some steps of a plain PyTorch loop."""
    torch.manual_seed(0)
    network = create_network("asnet").train()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True
    )

    def work() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = joint_loss(network(batch["image"]), batch["mask"])
            loss.backward()
            optimizer.step()

    return work


def main() -> None:
    options = measure.arguments(__doc__, rounds=15).parse_args()
    count, size, steps = (2, (32, 32), 2) if options.small else (12, (192, 256), 2)
    batch = measure.drawn_batch(count, size)
    torch.manual_seed(0)
    model = ASNet(size=size)
    turns = measure.TrainerTurns(
        batch,
        steps,
        options.rounds,
        ways={"ours": lambda: None},
        others={"bare": bare_loop(batch, steps)},
    )
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        trainer = measure.quiet_trainer(
            logger=RunLogger(folder), enable_progress_bar=True, log_every_n_steps=steps
        )
        trainer.fit(model, turns)
    ours, bare = turns.seconds["ours"], turns.seconds["bare"]
    each = sorted(100 * (mine / plain - 1) for mine, plain in zip(ours, bare, strict=True))
    middle = statistics.quantiles(each, n=4) if len(each) > 1 else each * 3
    row = [
        f"{count} x {size[0]} x {size[1]}, {steps} steps",
        measure.spread(ours),
        measure.spread(bare),
        f"{100 * (measure.median(ours) / measure.median(bare) - 1):+.1f}",
        f"{middle[1]:+.1f} [{middle[0]:+.1f} to {middle[2]:+.1f}]",
    ]
    header = ["ASNet", "Trainer, ms", "bare loop, ms", "slower, %"]
    header += ["slower round by round, %: median [middle half]"]
    measure.report("trainer", header, [row], options)


if __name__ == "__main__":
    main()
