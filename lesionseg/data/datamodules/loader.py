"""The loader and the sampler of training images, whose random order a resumed fit repeats."""

from collections.abc import Iterator, Sized
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from lesionseg.data.datamodules.worker_errors import original_error
from lesionseg.data.datasets.base import SeededIndex

Batch = TypeVar("Batch")


class LateLoader(DataLoader[Batch]):
    """A DataLoader whose iterator uses the sampler only when the first batch is requested.

    Lightning creates the first epoch's iterator before it knows that the fit is resumed, and uses
    it for the epoch that the fit resumes in: workers, which prefetch, would have started with the
    order of epoch 0.

    An error in a worker, such as an invalid image, is raised with its own message, which PyTorch
    puts behind a traceback.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Iterate over the batches."""
        try:
            yield from super().__iter__()
        except Exception as error:
            original = original_error(error)
            if original is None:
                raise
            raise original from error


class SeededSampler(Sampler[int]):
    """A random order of a data set that depends only on seed and epoch.

    The Trainer calls :meth:`set_epoch`, so that a run that is resumed in epoch 7 has the order of
    epoch 7 of a run that was not interrupted.

    Args:
        data: Anything with a length.
        seed: Seed of all orders.
        seeded_indices: Whether indices carry a seed for the transforms of their image, which
            depends only on seed, epoch and index.
    """

    def __init__(self, data: Sized, seed: int = 0, seeded_indices: bool = False) -> None:
        self.data = data
        self.seed = seed
        self.seeded_indices = seeded_indices
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.data), generator=generator).tolist()
        return iter([self._seeded(index) for index in order] if self.seeded_indices else order)

    def _seeded(self, index: int) -> SeededIndex:
        sequence = np.random.SeedSequence([self.seed % 2**32, self.epoch, index])
        return SeededIndex(index, int(sequence.generate_state(1)[0]))
