"""The file of a cache: decoded images and masks of one size, read through a memory map.

``count`` records of ``channels x height x width`` bytes (red, green, blue and, where there are
masks, a plane of 0 and 1), the original heights and widths as little-endian int32, and the SHA-256
of the key and of these sizes. A record is found by arithmetic, so that the file is never parsed.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import InvalidDataError

Record = tuple[npt.NDArray[np.uint8], tuple[int, int]]
"""One image at the network's size with its mask, (channels, H, W), and its original size."""

Shape = tuple[int, int, int, int]
"""Count, channels, height and width of a store."""

_DIGEST_BYTES = hashlib.sha256().digest_size


class Store:
    """Reads a finished file; every process maps it for itself, and the system shares the pages.

    Pickles as its path, so that workers of any start method open it themselves.

    Args:
        path: the file.
        key: what it was made of, as bytes; another key means another content.
        shape: count, channels (3 or 4), height and width.

    Raises:
        InvalidDataError: if the file is cut off, damaged in its end part, or of another key. The
            pixels are not checked: that would read the whole file at every start.
    """

    def __init__(self, path: Path, key: bytes, shape: Shape) -> None:
        self.path = path
        self.shape = shape
        with path.open("rb") as file:
            length = file.seek(0, 2)
            if length == store_bytes(shape):
                file.seek(_record_bytes(shape) * shape[0])
                sizes, digest = file.read(8 * shape[0]), file.read()
                if digest == _digest(key, sizes):
                    self.sizes = np.frombuffer(sizes, "<i4").reshape(-1, 2)
                    self._records: npt.NDArray[np.uint8] | None = None
                    return
        raise InvalidDataError(f"The cache {path} is cut off or damaged; delete it.")

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled; a memory map would be copied whole."""
        return {**self.__dict__, "_records": None}

    def images(self, rows: Sequence[int]) -> Tensor:
        """Images of some records, float32 (N, 3, H, W) in [0, 1]."""
        return self._read(rows, slice(0, 3)).div_(255)

    def masks(self, rows: Sequence[int]) -> Tensor:
        """Masks of some records, float32 (N, 1, H, W) in {0, 1}."""
        return self._read(rows, slice(3, 4))

    def size(self, row: int) -> tuple[int, int]:
        """Original height and width of one image."""
        height, width = self.sizes[row].tolist()
        return height, width

    def _read(self, rows: Sequence[int], planes: slice) -> Tensor:
        if self._records is None:
            self._records = np.memmap(self.path, np.uint8, "r", shape=self.shape)
        values = torch.empty(len(rows), planes.stop - planes.start, *self.shape[2:])
        if get_worker_info() is not None:
            # now, not in the queue's thread: see collate_samples
            values.share_memory_()  # type: ignore[no-untyped-call]
        target = values.numpy()
        for place, row in enumerate(rows):
            target[place] = self._records[row, planes]  # to float32 on the way
        return values


def store_bytes(shape: Shape) -> int:
    """Length of a file."""
    return shape[0] * (_record_bytes(shape) + 8) + _DIGEST_BYTES


def write_store(
    path: Path,
    key: bytes,
    shape: Shape,
    read: Callable[[int, int], Record],
    threads: int,
    progress: Callable[[Iterable[None]], Iterable[None]],
) -> None:
    """Write a whole file, each record by one of several threads (decoders release the GIL).

    Args:
        path: of the file; it is overwritten.
        key: what it is made of.
        shape: count, channels, height and width.
        read: gives the record of a row in so many channels.
        threads: how many read.
        progress: wraps what is gone through once per record.

    Raises:
        OSError: if the disk is full; the file is not usable then.
    """
    sizes = np.zeros((shape[0], 2), "<i4")
    writing = threading.Lock()
    with path.open("wb") as file, thread_pool(threads) as pool:

        def put(row: int) -> None:
            pixels, sizes[row] = read(row, shape[1])
            with writing:
                file.seek(row * _record_bytes(shape))
                file.write(np.ascontiguousarray(pixels).data)

        # An error, or Ctrl-C, cancels the rows that wait.
        for _ in progress(pool.map(put, range(shape[0]))):
            pass
        file.seek(0, 2)
        file.write(sizes.tobytes() + _digest(key, sizes.tobytes()))
        file.flush()
        os.fsync(file.fileno())  # else a power cut could leave the end part and not the pixels


def _record_bytes(shape: Shape) -> int:
    return shape[1] * shape[2] * shape[3]


def _digest(key: bytes, sizes: bytes) -> bytes:
    return hashlib.sha256(key + sizes).digest()
