"""Shuffling that a resumed run repeats."""

from collections.abc import Iterator, Sized

import torch
from torch.utils.data import Sampler


class SeededSampler(Sampler[int]):
    """A random order of a data set that depends on seed and epoch alone.

    The Trainer calls :meth:`set_epoch`, so that a run that is resumed in epoch 7 sees epoch 7's
    order, as the run that was never stopped does.

    Args:
        data: anything with a length.
        seed: of all orders.
    """

    def __init__(self, data: Sized, seed: int = 0) -> None:
        self.data = data
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.randperm(len(self.data), generator=generator).tolist())
