"""Parameters, operations, source and options of each network."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionseg.networks.registry import create_network, preset_of

if TYPE_CHECKING:
    from torch import nn


class NetworkFacts(NamedTuple):
    """Size, cost and source of a network.

    Attributes:
        name: Name for ``create_network``.
        parameters: Number of parameters.
        macs: Multiply-accumulate operations for an image of ``size``: convolutions, linear
            layers, matrix products and attention; neither normalization nor activation.
        size: (height, width) in the paper.
        paper: Authors, short title, venue and year of its source.
        options: The arguments of the network and their defaults.
        weights_license: What ``encoder_weights`` downloads and its license; None where the network
            has no pretrained encoder.
    """

    name: str
    parameters: int
    macs: int
    size: tuple[int, int]
    paper: str
    options: dict[str, Any]
    weights_license: str | None


def network_facts(name: str, **arguments: Any) -> NetworkFacts:
    """Count a network's parameters and operations without allocating memory.

    Args:
        name: See :func:`~lesionseg.networks.create_network`.
        **arguments: See there.

    Raises:
        LesionsegError: If there is no such network.

    Example:
        >>> from lesionseg.networks.summary import network_facts
        >>> facts = network_facts("unet")
        >>> f"{facts.parameters:,} parameters, {facts.macs / 1e9:.2f} GMAC at {facts.size}"
        '31,043,521 parameters, 36.13 GMAC at (192, 256)'
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():  # shapes only; "meta" knows no autocast to ask for
        network = create_network(name, **arguments).eval()
        macs = count_macs(network, network.default_size)
    signature = inspect.signature(type(network).__init__).parameters.values()
    options = {
        parameter.name: parameter.default
        for parameter in signature
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    return NetworkFacts(
        name,
        sum(parameter.numel() for parameter in network.parameters()),
        macs,
        network.default_size,
        network.paper,
        options | preset_of(name) | arguments,
        network.weights_license,
    )


def count_macs(network: nn.Module, size: tuple[int, int]) -> int:
    """Count the multiply-accumulates of a network for an image.

    Args:
        network: Module in eval mode that maps images (1, 3, H, W).
        size: (height, width).

    Example:
        >>> from torch import nn
        >>> count_macs(nn.Conv2d(3, 1, 1), (10, 20))
        600
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # Not every torch counts the fused attention of CPUs by itself (2.14 does not).
    attention = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
    counter = FlopCounterMode(display=False, custom_mapping=attention)
    with torch.no_grad(), counter:
        network(torch.zeros(1, 3, *size))
    return counter.get_total_flops() // 2


def _attention_flops(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any
) -> int:
    """Return the operations of attention between tokens (N, heads, positions, width)."""
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[2] * (width + value[3])
