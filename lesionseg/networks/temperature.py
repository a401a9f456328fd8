"""The temperature of a network, by which its logits are divided."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn


def set_temperature(network: nn.Module, temperature: float) -> None:
    """Divide the logits that a network returns by a temperature, in place.

    It is part of the network's calls, also of those of a copy, a compiled or an exported network,
    but not of its weights. A temperature of 1 changes nothing, bit for bit.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.

    Args:
        network: Module that returns logits.
        temperature: A positive number; above 1 moves probabilities towards 0.5.

    Raises:
        ValueError: If ``temperature`` is not positive.

    Example:
        >>> import torch
        >>> from lesionseg.networks import set_temperature
        >>> network = torch.nn.Identity()
        >>> set_temperature(network, 2.0)
        >>> network(torch.tensor([-3.0, 1.0]))
        tensor([-1.5000,  0.5000])
    """
    checked_temperature(temperature)
    if not hasattr(network, "temperature"):
        if temperature == 1:
            return
        network.register_forward_hook(_divide)
    network.temperature = temperature  # type: ignore[assignment]


def temperature_of(network: nn.Module) -> float:
    """Return the temperature of a network; 1 if none was set.

    Example:
        >>> import torch
        >>> from lesionseg.networks import temperature_of
        >>> temperature_of(torch.nn.Identity())
        1.0
    """
    return float(getattr(network, "temperature", 1.0))


def checked_temperature(temperature: Any) -> float:
    """Return a temperature.

    Raises:
        ValueError: If it is not a positive number.
    """
    if type(temperature) not in (int, float) or not 0 < temperature < math.inf:
        raise ValueError(f"expected temperature to be a positive number, got {temperature!r}")
    return float(temperature)


def _divide(network: nn.Module, inputs: Any, logits: Tensor) -> Tensor:
    temperature = temperature_of(network)
    return logits if temperature == 1 else logits / temperature
