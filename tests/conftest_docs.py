"""The pages of the documentation, and the counts that they state."""

from pathlib import Path

import torch

from lesionseg.networks import create_network

DOCS = Path(__file__).resolve().parent.parent / "docs"


def page(name):
    """The text of a page on one line, so that a sentence is found wherever its lines break."""
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


def parameters(name, **arguments):
    """The number of parameters of a network."""
    with torch.device("meta"):
        network = create_network(name, **arguments)
    return sum(weight.numel() for weight in network.parameters())
