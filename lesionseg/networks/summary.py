"""Parameters, operations, source and options of each network."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from lesionseg.networks.registry import create_network, preset_of


class NetworkFacts(NamedTuple):
    """What is known of a network.

    Attributes:
        name: For ``create_network``.
        parameters: Their number.
        macs: Multiplications with addition for one image of ``size``: convolutions, linear
            layers, matrix products and attention; neither normalization nor activation.
        size: (height, width), the paper's.
        paper: Its source.
        options: The arguments of the network and their defaults.
        weights_license: What ``encoder_weights`` downloads and its license; None where there is
            none.
    """

    name: str
    parameters: int
    macs: int
    size: tuple[int, int]
    paper: str
    options: dict[str, Any]
    weights_license: str | None


def network_facts(name: str, **arguments: Any) -> NetworkFacts:
    """Count a network's parameters and operations, without memory for either.

    Args:
        name: See :func:`~lesionseg.networks.create_network`.
        **arguments: See there.

    Raises:
        LesionsegError: There is no such network.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    # Not every torch counts the fused attention of CPUs by itself (2.14 does not).
    attention = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
    with FakeTensorMode(), torch.no_grad():  # shapes only; "meta" knows no autocast to ask for
        network = create_network(name, **arguments).eval()
        counter = FlopCounterMode(display=False, custom_mapping=attention)
        with counter:
            network(torch.empty(1, 3, *network.default_size))
    signature = inspect.signature(type(network).__init__).parameters.values()
    options = {
        one.name: one.default
        for one in signature
        if one.name != "self" and one.kind is not one.VAR_KEYWORD
    }
    return NetworkFacts(
        name,
        sum(parameter.numel() for parameter in network.parameters()),
        counter.get_total_flops() // 2,
        network.default_size,
        network.paper,
        options | preset_of(name) | arguments,
        network.weights_license,
    )


def _attention_flops(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any
) -> int:
    """Of the two matrix products between tokens of these shapes (N, heads, positions, width)."""
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[2] * (width + value[3])
