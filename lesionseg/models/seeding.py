"""Random numbers that a resumed fit repeats."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> None:
    """Seeds Python, numpy and torch (all devices) for one epoch of one process.

    What an epoch draws then depends on these three numbers alone and not on what was drawn before,
    so that a fit that was killed in epoch 7 and goes on from the end of epoch 6 draws what the one
    that was never stopped does. The states of the generators need not be in the checkpoint, which
    would hold those of the first process only.

    Args:
        seed: Of the whole fit, not negative.
        epoch: Counted from 0.
        rank: Of the process, so that processes augment their images differently.
    """
    mixed = np.random.SeedSequence([seed, epoch, rank])
    small, large = int(mixed.generate_state(1)[0]), int(mixed.generate_state(1, np.uint64)[0])
    random.seed(large)
    np.random.seed(small)  # noqa: NPY002  (what others' data sets draw from)
    torch.manual_seed(large)
