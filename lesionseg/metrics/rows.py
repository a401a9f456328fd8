"""The core of the metrics: a row of numbers and an id for each image, across processes."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lesionseg.errors import InvalidDataError
from lesionseg.metrics.inputs import decode_ids, encode_ids
from lesionseg.metrics.torchmetrics_core import Metric, dim_zero_cat


class PerImageRows(Metric):
    """Base of metrics that keep a row of numbers for each image.

    Images with an id count once per id, even if several processes see them: a distributed sampler
    repeats images so that all processes have the same number. Images without an id all count.
    """

    is_differentiable = False
    full_state_update = False

    row_dtype: ClassVar[torch.dtype] = torch.float64
    rows: list[Tensor] | Tensor
    id_rows: list[Tensor] | Tensor

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._width = width
        self.add_state("rows", default=[], dist_reduce_fx="cat")
        self.add_state("id_rows", default=[], dist_reduce_fx="cat")

    def _add(self, rows: Tensor, ids: Sequence[str] | None) -> None:
        """Keep the rows (N, width) of a batch."""
        encoded = encode_ids(ids, len(rows))
        assert isinstance(self.rows, list)
        assert isinstance(self.id_rows, list)
        self.rows.append(rows.to(self._stored_dtype()).to(self.device))
        self.id_rows.append(encoded.to(self.device))

    def _stored_dtype(self) -> torch.dtype:
        # Apple's GPUs have no float64.
        small = self.device.type == "mps" and self.row_dtype == torch.float64
        return torch.float32 if small else self.row_dtype

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Gather the state of all processes; see :meth:`torchmetrics.Metric.sync`."""
        # torchmetrics sends a float vector for a process without images, which the others cannot
        # receive as rows: send 0 rows of the right width and type instead.
        if isinstance(self.rows, list) and not self.rows:
            self._add(torch.zeros((0, self._width)), [])
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)

    def _images(self) -> tuple[list[str], npt.NDArray[Any]]:
        """Return ids and rows (images, width) of the current state, perhaps of all processes.

        Raises:
            InvalidDataError: If there is no image.
        """
        if isinstance(self.rows, list) and not self.rows:
            ids: list[str | None] = []
            rows = np.zeros((0, self._width))
        else:
            ids = decode_ids(dim_zero_cat(self.id_rows))
            rows = dim_zero_cat(self.rows).cpu().numpy()
        if not ids:
            raise InvalidDataError(
                f"{type(self).__name__} has no image to score; call update() with at least one."
            )
        first: dict[str, int] = {}
        for index, name in enumerate(ids):
            name = name or f"image_{index:06d}"
            if first.setdefault(name, index) != index and (rows[index] != rows[first[name]]).any():
                warnings.warn(
                    f"The image {name} came more than once with different masks; only the first "
                    "is scored. Give different images different ids.",
                    stacklevel=2,
                )
        # Sorted, because the order of gathered images depends on the number of processes.
        names = sorted(first) if self._is_synced else list(first)
        return names, rows[[first[name] for name in names]]

    def _all_images(self) -> tuple[list[str], npt.NDArray[Any]]:
        """Return ids and rows of all processes, each of which must call it."""
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn,
            should_sync=self._to_sync and not self._is_synced,
            should_unsync=self._should_unsync and not self._is_synced,
        ):
            return self._images()

    def _scalar(self, value: float) -> Tensor:
        # Apple's GPUs have no float64.
        device = torch.device("cpu") if self.device.type == "mps" else self.device
        return torch.tensor(value, dtype=torch.float64, device=device)


class PerImageScore(PerImageRows):
    """Base of metrics with one score for each image; ``compute()`` returns the mean over images."""

    def _scores(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the score of each row; the first column unless a subclass computes it."""
        return rows[:, 0]

    def compute(self) -> Tensor:
        """Return the mean over all images so far, a 0-d float64 tensor.

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        return self._scalar(float(self._scores(self._images()[1]).mean(dtype=np.float64)))

    def values(self) -> dict[str, float]:
        """Return the score of each image by its id; in distributed use every process must call it.

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        ids, rows = self._all_images()
        return dict(zip(ids, self._scores(rows).tolist(), strict=True))
