"""The network as it is exported: one image tensor in, probabilities out."""

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

# Energies of one block of queries, in numbers: 2 MiB of float32 stay in a core's cache.
_BLOCK = 2**19
# Each block is three nodes of the exported graph.
_MOST_BLOCKS = 64


class Deployable(nn.Module):
    """A network with what surrounds it: normalisation is inside, the sigmoid comes last.

    Takes an image (N, 3, H, W), float in [0, 1] or uint8, and gives probabilities float32
    (N, 1, H, W). It holds a copy of the network in eval mode; the original stays as it is.

    Args:
        network: Images (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out.
        input: ``"float"`` or ``"uint8"``.
        attention: How position attention is written. None: as it is. ``"standard"``: exactly the
            same sums, a block of queries at a time, so that no map of all positions is built; sizes
            must be fixed. ``"whole"``: the plain formula with that map. ``"fused"``: ONNX Runtime's
            own ``MultiHeadAttention``, which builds no map either (in torch it computes nothing).

    Raises:
        ValueError: ``attention`` is none of these.
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
                f"attention must be one of {get_args(AttentionExport)}, got {attention!r}"
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

    def fed(self, image: Tensor) -> Tensor:
        """Images float in [0, 1] as this input type."""
        return (image * 255).round().to(torch.uint8) if self.input == "uint8" else image


def attend_in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Position attention with plain operations, some queries at a time."""
    queries = query.shape[-2] * query.shape[-1]
    keys, values = key.flatten(2), _tokens(value)
    size = max(_BLOCK // keys.shape[-1], math.ceil(queries / _MOST_BLOCKS), 1)
    parts = [(block @ keys).softmax(-1) @ values for block in torch.split(_tokens(query), size, 1)]
    return _maps(torch.cat(parts, 1), query)


def attend_whole(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Position attention by its formula, with the map of all pairs of positions."""
    weights = (_tokens(query) @ key.flatten(2)).softmax(-1)
    return _maps(weights @ _tokens(value), query)


def attend_fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Position attention as one node of ONNX Runtime's contributed operators.

    Raises:
        LesionsegError: This torch cannot write such a node.
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
    """Turn (N, C, H, W) into (N, HW, C)."""
    return maps.flatten(2).transpose(1, 2)


def _maps(tokens: Tensor, like: Tensor) -> Tensor:
    """Turn (N, HW, C) into (N, C, H, W), with the H and W of another map."""
    return tokens.transpose(1, 2).reshape(*tokens.shape[::2], *like.shape[2:])
