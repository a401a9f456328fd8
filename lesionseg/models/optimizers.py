"""Optimizers and learning-rate schedules by name, as a command line or a YAML file gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from lesionseg.models.schedule import Schedule, one_cycle, poly

OptimizerName = Literal["sgd", "adam", "adamw"]
ScheduleName = Literal["poly", "one-cycle", "constant"]


def check_choice(argument: str, value: str, choices: object) -> None:
    """Raises a ValueError that lists the choices unless ``value`` is one of a Literal's.

    Args:
        argument: Name of the argument, for the message.
        value: What was given.
        choices: A ``typing.Literal`` of strings.
    """
    allowed = get_args(choices)
    if value not in allowed:
        raise ValueError(f"{argument} must be one of {', '.join(allowed)}; got {value!r}")


def create_optimizer(
    name: OptimizerName,
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    learning_rate: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    beta2: float = 0.999,
) -> Optimizer:
    """An optimizer by name.

    Args:
        name: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        parameters: What is optimized: parameters, or groups of them with an ``lr`` of their own.
        learning_rate: The basic learning rate.
        momentum: SGD's momentum; Adam's first beta.
        weight_decay: L2 penalty (decoupled for AdamW).
        beta2: Adam's second beta.

    Raises:
        ValueError: ``name`` is none of the three.
    """
    check_choice("optimizer", name, OptimizerName)
    if name == "sgd":
        return SGD(parameters, lr=learning_rate, momentum=momentum, weight_decay=weight_decay)
    adam = Adam if name == "adam" else AdamW
    return adam(parameters, lr=learning_rate, betas=(momentum, beta2), weight_decay=weight_decay)


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
        name: ``"poly"``: (1 - epoch / epochs) ** power, once an epoch; ``"one-cycle"``: up and
            down once over all steps, with the optimizer's learning rate as its peak and its
            momentum left as it is; ``"constant"``.
        optimizer: Whose learning rate is scheduled.
        epochs: Epochs of the whole training.
        steps: Optimizer steps of the whole training.
        power: The power of ``"poly"``.
        warmup_fraction: Share of the steps in which ``"one-cycle"`` goes up.

    Raises:
        ValueError: If ``name`` is none of the three.
    """
    check_choice("schedule", name, ScheduleName)
    if name == "constant":
        return None
    if name == "poly":
        return Schedule(optimizer, poly(power), epochs, "epoch")
    return Schedule(optimizer, one_cycle(warmup_fraction), steps, "step")
