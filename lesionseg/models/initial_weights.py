"""Weights of a checkpoint that another fit starts from."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from lesionseg.checkpoints import read_checkpoint
from lesionseg.errors import CheckpointError, shorten

_NETWORK = "network."


def load_initial_weights(model: nn.Module, path: str | Path) -> frozenset[str]:
    """Copy a checkpoint's weights into a model that is about to be trained.

    The network that segments must fit. Further networks, such as a discriminator, are taken where
    the checkpoint has all of their weights, and start from scratch where it has not.

    Args:
        model: Its attribute ``network`` segments.
        path: A checkpoint of any model of this package.

    Returns:
        Ids of the ISIC images that the weights were fitted to.

    Raises:
        CheckpointError: If the file cannot be read, its network is another one, or its weights are
            not finite.
    """
    checkpoint = read_checkpoint(path)
    theirs = checkpoint["state_dict"]
    ours = model.state_dict()
    fitting = {
        name: value
        for name, value in theirs.items()
        if name in ours and ours[name].shape == value.shape
    }
    other = [
        name
        for name in sorted({*ours, *theirs})
        if name.startswith(_NETWORK) and name not in fitting
    ]
    if other:
        raise CheckpointError(
            f"the network in {path} is not the one that is to be trained: {len(other)} weights are "
            f"missing, left over or of another shape ({shorten(other)}); give model and network "
            "arguments as they were in its fit."
        )
    broken = [name for name, value in fitting.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(
            f"the weights in {path} are not finite ({shorten(broken)}); start from a checkpoint of "
            "an earlier epoch."
        )
    parts = {name.partition(".")[0] for name in ours}
    fresh = {name.partition(".")[0] for name in ours if name not in fitting}
    model.load_state_dict(
        {name: value for name, value in fitting.items() if name.partition(".")[0] not in fresh},
        strict=False,
    )
    loaded = f"the weights of {', '.join(sorted(parts - fresh))} come from {path}"
    rank_zero_info(f"{loaded}{'; the rest starts from scratch' if fresh else ''}.")
    return frozenset(checkpoint.get("lesionseg", {}).get("trained_on", ()))
