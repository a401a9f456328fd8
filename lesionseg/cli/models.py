"""``lesionseg models``: list the networks and the pretrained models."""

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
        "List the networks: parameters, multiply-accumulate operations for an image of the "
        "paper's size, source, options, and license of the encoder weights."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="names of networks, also smp:<architecture>/<encoder> (default: all registered names)",
    )
    parser.add_argument(
        "--pretrained",
        action="store_true",
        help="list the pretrained models of lesionseg and their scores",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", "json"],
        default="table",
        help="output format (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg models`` and return its exit code.

    Raises:
        LesionsegError: If there is no network, or no pretrained model, of a given name.
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
    """Return the cards of the pretrained models as a table or JSON."""
    cards = [packaged_card(name) for name in names or list_pretrained()]
    return json.dumps(cards, indent=2) if output == "json" else render_cards(cards)


def render_cards(cards: Sequence[Mapping[str, Any]]) -> str:
    """Return a plain-text table of pretrained models without augmentation or post-processing.

    Args:
        cards: See :func:`lesionseg.pretrained.packaged_card`.

    Example:
        >>> from lesionseg.cli.models import render_cards
        >>> from lesionseg.pretrained import packaged_card
        >>> print(render_cards([packaged_card("asnet-lite")]))
        name                 parameters       size  tested on      jaccard        (95 %)
        asnet-lite            6,479,414  256 x 256  ...
    """
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
    """Return a plain-text table of at most 80 columns, and the longer facts below it.

    Args:
        facts: See :func:`~lesionseg.networks.summary.network_facts`.

    Example:
        >>> from lesionseg.cli.models import render
        >>> from lesionseg.networks.summary import NetworkFacts
        >>> options = {"width": 4}
        >>> facts = NetworkFacts("tiny", 1234, 5 * 10**9, (192, 256), "Doe, 2020", options, None)
        >>> print(render([facts]))
        name                         parameters      GMAC          at
        tiny                              1,234      5.00   192 x 256
        <BLANKLINE>
        tiny
          paper: Doe, 2020
          options: width=4
          encoder weights: none
    """
    lines = [f"{'name':<26}{'parameters':>13}{'GMAC':>10}{'at':>12}"]
    for fact in facts:
        height, width = fact.size
        size = f"{height} x {width}"
        lines.append(f"{fact.name:<26}{fact.parameters:>13,}{fact.macs / 1e9:>10.2f}{size:>12}")
    for fact in facts:
        options = ", ".join(f"{name}={_shown(value)}" for name, value in fact.options.items())
        lines += ["", fact.name]
        for label, text in (
            ("paper", fact.paper),
            ("options", options or "none"),
            ("encoder weights", fact.weights_license or "none"),
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
