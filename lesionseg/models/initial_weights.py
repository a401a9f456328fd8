"""Start a fit from the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from lesionseg.checkpoints import read_checkpoint
from lesionseg.errors import CheckpointError, shorten
from lesionseg.models.loading import rename_weights

_NETWORK = "network."


def load_initial_weights(model: nn.Module, path: str | Path) -> frozenset[str]:
    """Copy the weights of a checkpoint into a model.

    The network that segments must have the same weights. Further networks, such as a discriminator,
    are copied if the checkpoint has all of their weights, and keep their initial weights otherwise.

    Args:
        model: Model with the attribute ``network``, which segments.
        path: Checkpoint of any model of this package.

    Returns:
        Ids of the ISIC images that the weights were fitted to.

    Raises:
        CheckpointError: If the file cannot be read, has another network, or has weights that are
            not finite.
    """
    checkpoint = read_checkpoint(path)
    given = checkpoint["state_dict"]
    rename_weights(given)
    wanted = model.state_dict()
    fitting = {
        name: value
        for name, value in given.items()
        if name in wanted and wanted[name].shape == value.shape
    }
    other = [
        name
        for name in sorted({*wanted, *given})
        if name.startswith(_NETWORK) and name not in fitting
    ]
    if other:
        raise CheckpointError(
            f"the network in {path} is not that of the model: {len(other)} weights are missing, "
            f"unexpected or of another shape ({shorten(other)}); give model and network arguments "
            "as they were in its fit."
        )
    broken = [name for name, value in fitting.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(
            f"the weights in {path} are not finite ({shorten(broken)}); start from a checkpoint of "
            "an earlier epoch."
        )
    parts = {name.partition(".")[0] for name in wanted}
    fresh = {name.partition(".")[0] for name in wanted if name not in fitting}
    model.load_state_dict(
        {name: value for name, value in fitting.items() if name.partition(".")[0] not in fresh},
        strict=False,
    )
    loaded = f"the weights of {', '.join(sorted(parts - fresh))} come from {path}"
    rank_zero_info(f"{loaded}{'; the rest starts from scratch' if fresh else ''}.")
    return frozenset(checkpoint.get("lesionseg", {}).get("trained_on", ()))
