"""A network for export, from images to probabilities."""

from __future__ import annotations

import copy
import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lesionseg.blocks import PositionAttentionModule
from lesionseg.errors import LesionsegError
from lesionseg.inference.metadata import InputType

AttentionExport = Literal["standard", "whole", "fused"]

# Number of energies in a block of queries: 2 MiB of float32 fit the cache of a core.
_BLOCK = 2**19
# Each block adds three nodes to the exported graph.
_MOST_BLOCKS = 64


class Deployable(nn.Module):
    """Network with input conversion and sigmoid, for export.

    It maps images (N, 3, H, W), float in [0, 1] or uint8, to probabilities float32 (N, 1, H, W),
    with a copy of the network in eval mode.

    Args:
        network: Module that maps images (N, 3, H, W) in [0, 1] to logits (N, 1, H, W).
        input: ``"float"`` or ``"uint8"``.
        attention: Implementation of position attention. None keeps it. ``"standard"``: blocks of
            queries with the same sums, without the map of all pairs of pixels; sizes must be
            fixed. ``"whole"``: the formula with that map. ``"fused"``: ONNX Runtime's operator
            ``MultiHeadAttention``, without that map (in torch it computes nothing).

    Raises:
        ValueError: If ``attention`` is none of these.

    Example:
        >>> import torch
        >>> from lesionseg.export import Deployable
        >>> model = Deployable(torch.nn.Conv2d(3, 1, 1), input="uint8")
        >>> probability = model(torch.randint(256, (1, 3, 8, 8), dtype=torch.uint8))
        >>> probability.shape, bool(probability.min() >= 0)
        (torch.Size([1, 1, 8, 8]), True)
    """

    def __init__(
        self,
        network: nn.Module,
        input: InputType = "float",
        attention: AttentionExport | None = None,
    ) -> None:
        super().__init__()
        if attention is not None and attention not in get_args(AttentionExport):
            raise ValueError(
                f"expected attention to be one of {', '.join(get_args(AttentionExport))}, "
                f"got {attention!r}"
            )
        self.input = input
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        ways = {"standard": attend_in_blocks, "whole": attend_whole, "fused": attend_fused}
        for module in self.network.modules():
            if attention is not None and isinstance(module, PositionAttentionModule):
                module.attend = ways[attention]  # type: ignore[method-assign]

    def forward(self, image: Tensor) -> Tensor:
        """Return the probabilities of a batch of images."""
        if self.input == "uint8":
            image = image.float() / 255
        return torch.sigmoid(self.network(image))

    def encode(self, image: Tensor) -> Tensor:
        """Convert images, float in [0, 1], to the input type."""
        return (image * 255).round().to(torch.uint8) if self.input == "uint8" else image


def attend_in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute position attention with standard operators, in blocks of queries."""
    queries = query.shape[-2] * query.shape[-1]
    keys, values = key.flatten(2), _tokens(value)
    size = max(_BLOCK // keys.shape[-1], math.ceil(queries / _MOST_BLOCKS), 1)
    parts = [
        torch.bmm(torch.bmm(block, keys).softmax(-1), values)
        for block in torch.split(_tokens(query), size, 1)
    ]
    return _maps(torch.cat(parts, 1), query)


def attend_whole(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute position attention by its formula, with the map of all pairs of pixels."""
    weights = torch.bmm(_tokens(query), key.flatten(2)).softmax(-1)
    return _maps(torch.bmm(weights, _tokens(value)), query)


def attend_fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Export position attention as a contributed operator of ONNX Runtime.

    Raises:
        LesionsegError: If torch is older than 2.8.
    """
    if not hasattr(torch.onnx, "ops"):
        raise LesionsegError("--attention fused needs torch 2.8; update torch or leave it out.")
    queries, values = _tokens(query), _tokens(value)
    attended: Tensor = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        (queries, _tokens(key), values),
        {"num_heads": 1, "scale": 1.0},
        dtype=values.dtype,
        shape=(*queries.shape[:2], values.shape[-1]),
        version=1,
    )
    return _maps(attended, query)


def _tokens(maps: Tensor) -> Tensor:
    """Reshape (N, C, H, W) to (N, HW, C)."""
    return maps.flatten(2).transpose(1, 2)


def _maps(tokens: Tensor, like: Tensor) -> Tensor:
    """Reshape (N, HW, C) to (N, C, H, W), with the H and W of another map."""
    return tokens.transpose(1, 2).reshape(*tokens.shape[::2], *like.shape[2:])
