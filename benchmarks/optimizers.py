"""Time a step of the library's optimizers on a CPU against PyTorch's default ones."""

from __future__ import annotations

import measure
import torch

from lesionseg.models.optimizers import OptimizerName, create_optimizer
from lesionseg.networks import create_network

NETWORKS = ("mobilegan", "asnet-lite", "smp:unet/resnet34", "asnet")
OPTIMIZERS: dict[OptimizerName, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adamw": torch.optim.AdamW,
}


def main() -> None:
    options = measure.arguments(__doc__ or "", rounds=20).parse_args()
    rows = []
    for network in NETWORKS[: 1 if options.small else None]:
        for name, default in OPTIMIZERS.items():
            work = {}
            for label in ("default", "ours"):
                parameters = list(create_network(network).parameters())
                for parameter in parameters:
                    parameter.grad = torch.randn_like(parameter)
                if label == "ours":
                    optimizer = create_optimizer(name, parameters, 1e-4, 0.9, 1e-4)
                else:
                    momentum = {"momentum": 0.9} if name == "sgd" else {}
                    optimizer = default(parameters, lr=1e-4, weight_decay=1e-4, **momentum)  # type: ignore[call-arg]
                work[label] = optimizer.step
            seconds = measure.in_turn(work, options.rounds, warmup=2)
            millions = sum(parameter.numel() for parameter in parameters) / 1e6
            rows.append(
                [
                    f"{network}, {millions:.1f} million parameters",
                    default.__name__,
                    measure.spread(seconds["ours"]),
                    measure.spread(seconds["default"]),
                    measure.ratio(seconds["default"], seconds["ours"]),
                ]
            )
    header = ["network", "optimizer", "ours, ms", "PyTorch's default, ms", "speedup"]
    measure.report("optimizers", header, rows, options)


if __name__ == "__main__":
    main()
