"""The file of a cache: decoded images and masks of one size, read through a memory map.

It holds ``count`` records of ``channels x height x width`` bytes, nothing else: red, green, blue
and, where there are masks, a channel of 0 and 1.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from lesionseg.data.io.thread_pool import thread_pool

StoredSample = tuple[npt.NDArray[np.uint8], tuple[int, int]]
"""Image with mask at the network's size, (channels, H, W), and original height and width."""

BatchShape = tuple[int, int, int, int]
"""Number of images, channels, height and width of a store."""

Sizes = list[tuple[int, int]]
"""Original height and width of each image."""


class Store:
    """Read a finished file; all processes share its pages of memory.

    It is pickled as its path, so that worker processes of any start method map it themselves.

    Args:
        path: File of :func:`write_store`.
        shape: Number of images, channels (3 or 4), height and width.
        sizes: Original height and width of each image.
    """

    def __init__(self, path: Path, shape: BatchShape, sizes: Sizes) -> None:
        self.path = path
        self.shape = shape
        self.sizes = np.array(sizes, np.int32)
        self._samples: npt.NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the memory map, which would be copied whole."""
        return {**self.__dict__, "_samples": None}

    def images(self, rows: Sequence[int]) -> Tensor:
        """Return images, float32 (N, 3, H, W) in [0, 1]."""
        return self._read(rows, slice(0, 3)).div_(255)

    def masks(self, rows: Sequence[int]) -> Tensor:
        """Return masks, float32 (N, 1, H, W) in {0, 1}."""
        return self._read(rows, slice(3, 4))

    def size(self, row: int) -> tuple[int, int]:
        """Return the original height and width of an image."""
        height, width = self.sizes[row].tolist()
        return height, width

    def _read(self, rows: Sequence[int], channels: slice) -> Tensor:
        if self._samples is None:
            self._samples = np.memmap(self.path, np.uint8, "r", shape=self.shape)
        values = torch.empty(len(rows), channels.stop - channels.start, *self.shape[2:])
        if get_worker_info() is not None:
            # Here, not in the thread of the queue: see collate_samples.
            values.share_memory_()  # type: ignore[no-untyped-call]
        target = values.numpy()
        for index, row in enumerate(rows):
            target[index] = self._samples[row, channels]  # converts to float32
        return values


def write_store(
    path: Path,
    shape: BatchShape,
    read: Callable[[int, int], StoredSample],
    threads: int,
    progress: Callable[[Iterable[None]], Iterable[None]],
) -> Sizes:
    """Write a file of decoded images, in several threads (decoders release the GIL).

    Args:
        path: File; overwritten.
        shape: Number of images, channels, height and width.
        read: Returns the sample of a row with a number of channels.
        threads: Number of threads.
        progress: Wraps an iterable of one item for each image.

    Returns:
        Original height and width of each image.

    Raises:
        OSError: If the disk is full; the file is not usable then.
    """
    sizes = [(0, 0)] * shape[0]
    writing = threading.Lock()
    with path.open("wb") as file, thread_pool(threads) as pool:

        def put(row: int) -> None:
            pixels, sizes[row] = read(row, shape[1])
            with writing:
                file.seek(row * prod(shape[1:]))
                file.write(np.ascontiguousarray(pixels).data)

        # An error, or Ctrl-C, cancels the rows that wait.
        for _ in progress(pool.map(put, range(shape[0]))):
            pass
        file.flush()
        os.fsync(file.fileno())  # else a power failure could leave a file of the right length only
    return sizes
