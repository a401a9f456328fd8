"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, Literal, get_args

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from lesionseg.models.schedule import Schedule, one_cycle, poly

OptimizerName = Literal["sgd", "adam", "adamw"]
ScheduleName = Literal["poly", "one-cycle", "constant"]


def check_choice(argument: str, value: str, choices: object) -> None:
    """Check that an argument is one of the strings of a Literal.

    Args:
        argument: Name of the argument, for the message.
        value: Value of the argument.
        choices: A ``typing.Literal`` of strings.

    Raises:
        ValueError: If it is not.
    """
    allowed = get_args(choices)
    if value not in allowed:
        raise ValueError(f"expected {argument} to be one of {', '.join(allowed)}, got {value!r}")


def create_optimizer(
    name: OptimizerName,
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    learning_rate: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    beta2: float = 0.999,
) -> Optimizer:
    """Create an optimizer by name.

    It is PyTorch's fused one if all parameters are on the CPU, where it is several times as fast.

    Args:
        name: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        parameters: Parameters, or groups with a list of them, which may have their own ``lr``.
        learning_rate: The basic learning rate.
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        beta2: Adam's second beta.

    Raises:
        ValueError: If ``name`` is none of the three.
    """
    check_choice("optimizer", name, OptimizerName)
    given: Any = list(parameters)
    weights = chain.from_iterable(
        item["params"] if isinstance(item, dict) else [item] for item in given
    )
    common: dict[str, Any] = {"lr": learning_rate, "weight_decay": weight_decay}
    if all(weight.device.type == "cpu" for weight in weights):
        common["fused"] = True
    if name == "sgd":
        return SGD(given, momentum=momentum, **common)
    adam = Adam if name == "adam" else AdamW
    return adam(given, betas=(momentum, beta2), **common)


def create_schedule(
    name: ScheduleName,
    optimizer: Optimizer,
    epochs: int,
    steps: int,
    power: float = 0.9,
    warmup_fraction: float = 0.3,
) -> Schedule | None:
    """Create a learning-rate schedule by name; None for ``"constant"``.

    Args:
        name: ``"poly"``: (1 - epoch / epochs) ** power, every epoch; ``"one-cycle"``: up and down
            over all steps, with the optimizer's learning rate as its peak and a constant momentum;
            ``"constant"``.
        optimizer: Optimizer whose learning rate is scheduled.
        epochs: Epochs of the whole training.
        steps: Optimizer steps of the whole training.
        power: Power of ``"poly"``.
        warmup_fraction: Share of the steps in which ``"one-cycle"`` raises the learning rate.

    Raises:
        ValueError: If ``name`` is none of the three.
    """
    check_choice("schedule", name, ScheduleName)
    if name == "constant":
        return None
    if name == "poly":
        return Schedule(optimizer, poly(power), epochs, "epoch")
    return Schedule(optimizer, one_cycle(warmup_fraction), steps, "step")
