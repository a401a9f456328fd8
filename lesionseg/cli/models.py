"""``lesionseg models``: list the networks and the trained models."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from lesionseg.networks.registry import network_names
from lesionseg.networks.summary import NetworkFacts, network_facts
from lesionseg.pretrained import list_pretrained, packaged_card

_WIDTH = 80


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
        # The last key is the name of weights_license in version 0.1.
        rows = [fact._asdict() | {"weights_licence": fact.weights_license} for fact in facts]
        print(json.dumps(rows, indent=2))
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
            ("encoder weights", one.weights_license or "none"),
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
