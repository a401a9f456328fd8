"""``lesionseg models``: what the networks cost, where they come from and what can be chosen."""

from __future__ import annotations

import argparse
import inspect
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lesionseg.networks.registry import create_network, network_names, preset_of
from lesionseg.pretrained import list_pretrained, packaged_card

_WIDTH = 80


class NetworkFacts(NamedTuple):
    """What is known of a network.

    Attributes:
        name: For ``create_network``.
        parameters: Their number.
        macs: Multiplications with addition for one image of ``size``: convolutions, linear
            layers, matrix products and attention; neither normalisation nor activation.
        size: (height, width), the paper's.
        paper: Its source.
        options: The arguments of the network and their defaults.
        weights_licence: What ``encoder_weights`` downloads and its licence; None where there is
            none.
    """

    name: str
    parameters: int
    macs: int
    size: tuple[int, int]
    paper: str
    options: dict[str, Any]
    weights_licence: str | None


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
        network.weights_licence,
    )


def _attention_flops(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any
) -> int:
    """Of the two matrix products between tokens of these shapes (N, heads, positions, width)."""
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[2] * (width + value[3])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg models`` to its parser."""
    parser.description = (
        "List the networks: parameters, multiply-accumulate operations for one image of the "
        "paper's size, source, options, licence of encoder weights."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="only these; smp:<architecture>/<encoder> is one too (default: all that have a name)",
    )
    parser.add_argument(
        "--pretrained",
        action="store_true",
        help="list the trained models that come with lesionseg, and how good they are",
    )
    parser.add_argument(
        "-o", "--output", choices=["table", "json"], default="table", help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg models`` and return its exit code.

    Raises:
        LesionsegError: There is no network, or no trained model, of a given name.
    """
    if options.pretrained:
        print(_pretrained(options.names, options.output))
        return 0
    names = options.names or [*network_names(), "smp:unet/resnet34"]
    facts = [network_facts(name) for name in names]
    if options.output == "json":
        print(json.dumps([one._asdict() for one in facts], indent=2))
    else:
        print(render(facts))
        if not options.names:
            print("\nAny smp:<architecture>/<encoder> of segmentation-models-pytorch works too.")
    return 0


def _pretrained(names: Sequence[str], output: str) -> str:
    """What the cards of the trained models say."""
    cards = [packaged_card(name) for name in names or list_pretrained()]
    return json.dumps(cards, indent=2) if output == "json" else render_cards(cards)


def render_cards(cards: Sequence[Mapping[str, Any]]) -> str:
    """A plain-text table of trained models, with one view and no post-processing."""
    lines = [
        f"{'name':<21}{'parameters':>10}{'size':>11}  {'tested on':<14}{'jaccard':>8}{'(95 %)':>14}"
    ]
    for card in cards:
        first = f"{card['name']:<21}{card['parameters']:>10,}"
        first += f"{' x '.join(map(str, card['size'])):>11}"
        for row in card["scores"]:
            if row["views"] == row["postprocessing"] == "none":
                low, high = row["intervals"]["jaccard"]
                score = row["per_image"]["jaccard"]
                lines.append(f"{first}  {row['set']:<14}{score:>8.3f}{low:>8.3f}-{high:.3f}")
                first = " " * len(first)
    return "\n".join(lines)


def render(facts: Sequence[NetworkFacts]) -> str:
    """A plain-text table of at most 80 columns, then what does not fit into its lines."""
    lines = [f"{'name':<26}{'parameters':>13}{'GMAC':>10}{'at':>12}"]
    for one in facts:
        height, width = one.size
        size = f"{height} x {width}"
        lines.append(f"{one.name:<26}{one.parameters:>13,}{one.macs / 1e9:>10.2f}{size:>12}")
    for one in facts:
        chosen = ", ".join(f"{name}={_shown(value)}" for name, value in one.options.items())
        lines += ["", one.name]
        for label, text in (
            ("paper", one.paper),
            ("options", chosen or "none"),
            ("encoder weights", one.weights_licence or "none"),
        ):
            lines += textwrap.wrap(
                f"{label}: {text}",
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
