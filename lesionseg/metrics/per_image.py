"""The base class of the metrics, which keeps a confusion matrix and an id for each image."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lesionseg.errors import InvalidDataError
from lesionseg.metrics.inputs import ID_BYTES, Masks, decode_ids, encode_ids, masks_to_bool
from lesionseg.metrics.official import Aggregation, check_aggregation
from lesionseg.metrics.table import ScoreTable
from lesionseg.metrics.torchmetrics_core import Metric, dim_zero_cat


class PerImageMetric(Metric):
    """Base of metrics that score each image separately; a subclass implements :meth:`compute`.

    It keeps the four confusion counts of each image. Images with an id are scored once per id,
    even if several processes see them: a distributed sampler repeats images so that all processes
    have the same number. Images without an id all count.

    Args:
        aggregation: ``"image"`` for the official mean over images, ``"pooled"`` for one score of
            all pixels together.
        **kwargs: Passed to :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If ``aggregation`` is neither.

    Example:
        >>> import torch
        >>> from lesionseg.metrics import PerImageMetric
        >>> class WorstJaccard(PerImageMetric):
        ...     def compute(self):
        ...         return self.table().scores["jaccard"].min()
        >>> metric = WorstJaccard()
        >>> truth = torch.tensor([[[1, 1, 0, 0]], [[1, 1, 1, 0]]])
        >>> metric.update(prediction=torch.tensor([[[1, 1, 0, 0]], [[1, 0, 0, 0]]]), truth=truth)
        >>> print(f"{metric.compute():.3f}")
        0.333
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    counts: list[Tensor] | Tensor
    id_rows: list[Tensor] | Tensor

    def __init__(self, aggregation: Aggregation = "image", **kwargs: Any) -> None:
        check_aggregation(aggregation)
        super().__init__(**kwargs)
        self.aggregation: Aggregation = aggregation
        self.add_state("counts", default=[], dist_reduce_fx="cat")
        self.add_state("id_rows", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Masks, truth: Masks, ids: Sequence[str] | None = None) -> None:
        """Count the pixels of a batch.

        Args:
            prediction: Tensor (N, 1, H, W) or (N, H, W), or a sequence of N tensors (1, H, W) or
                (H, W) of differing sizes. bool is used unchanged; floating point is a
                probability, > 0.5 is lesion; uint8 is a gray value, > 128 is lesion (the official
                rule); other integers must be 0 or 1.
            truth: The same, each mask of the height and width of its prediction.
            ids: N names of the images, each at most 128 UTF-8 bytes. An image whose id was seen
                before is scored once.

        Raises:
            ValueError: If shapes, dtypes, values or the number of ids do not fit.
        """
        counts = _count(masks_to_bool(prediction, "prediction"), masks_to_bool(truth, "truth"))
        rows = encode_ids(ids, len(counts))
        assert isinstance(self.counts, list)
        assert isinstance(self.id_rows, list)
        self.counts.append(counts.to(self.device))
        self.id_rows.append(rows.to(self.device))

    @abstractmethod
    def compute(self) -> Any:
        """Return the score of all images so far."""

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Gather the state of all processes; see :meth:`torchmetrics.Metric.sync`."""
        # torchmetrics sends a float vector for a process without images, which the others cannot
        # receive as rows of integers: send 0 rows of the right width instead.
        if isinstance(self.counts, list) and not self.counts:
            assert isinstance(self.id_rows, list)
            self.counts.append(torch.zeros((0, 4), dtype=torch.int64, device=self.device))
            self.id_rows.append(torch.zeros((0, ID_BYTES), dtype=torch.uint8, device=self.device))
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)

    def table(self) -> ScoreTable:
        """Return the per-image table of all images of all processes.

        In distributed use every process must call it, and each receives the whole table, sorted by
        id. Images without an id are named by their position, ``image_000000`` and so on.

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn,
            should_sync=self._to_sync and not self._is_synced,
            should_unsync=self._should_unsync and not self._is_synced,
        ):
            return self._table()

    def _table(self) -> ScoreTable:
        """Return the table of the current state, which may be that of all processes."""
        if isinstance(self.counts, list) and not self.counts:
            ids: list[str | None] = []
            counts = np.zeros((0, 4), dtype=np.int64)
        else:
            ids = decode_ids(dim_zero_cat(self.id_rows))
            counts = dim_zero_cat(self.counts).cpu().numpy()
        if not ids:
            raise InvalidDataError(
                f"{type(self).__name__} has no image to score; call update() with at least one."
            )
        first: dict[str, int] = {}
        for index, name in enumerate(ids):
            name = name or f"image_{index:06d}"
            if (
                first.setdefault(name, index) != index
                and (counts[index] != counts[first[name]]).any()
            ):
                warnings.warn(
                    f"The image {name} came more than once with different masks; only the first "
                    "is scored. Give different images different ids.",
                    stacklevel=2,
                )
        # Sorted, because the order of gathered images depends on the number of processes.
        names = sorted(first) if self._is_synced else list(first)
        return ScoreTable(names, counts[[first[name] for name in names]])

    def _scalar(self, value: float) -> Tensor:
        # Apple's GPUs have no float64.
        device = torch.device("cpu") if self.device.type == "mps" else self.device
        return torch.tensor(value, dtype=torch.float64, device=device)


def _count(prediction: Tensor | list[Tensor], truth: Tensor | list[Tensor]) -> Tensor:
    """Return the int64 counts (N, 4) of bool masks: tp, fp, fn, tn."""
    if len(prediction) != len(truth):
        raise ValueError(
            "expected prediction and truth to have the same number of masks, "
            f"got {len(prediction)} and {len(truth)}"
        )
    if isinstance(prediction, Tensor) and isinstance(truth, Tensor):
        return _count_batch(prediction, truth)
    if not len(prediction):
        return torch.zeros((0, 4), dtype=torch.int64)
    return torch.cat(
        [_count_batch(p[None], t[None]) for p, t in zip(prediction, truth, strict=True)]
    )


def _count_batch(prediction: Tensor, truth: Tensor) -> Tensor:
    if prediction.shape != truth.shape:
        raise ValueError(
            f"expected prediction to have the truth's size {tuple(truth.shape[1:])}, "
            f"got {tuple(prediction.shape[1:])}; resize the probabilities to the truth's size"
        )
    if not prediction[0:1].numel() and len(prediction):
        raise ValueError("expected masks with pixels, got a mask with no pixels; leave it out")
    truth = truth.to(prediction.device)
    tp = torch.count_nonzero(prediction & truth, dim=(1, 2))
    fp = torch.count_nonzero(prediction, dim=(1, 2)) - tp
    fn = torch.count_nonzero(truth, dim=(1, 2)) - tp
    pixels = prediction.shape[1] * prediction.shape[2]
    return torch.stack([tp, fp, fn, pixels - tp - fp - fn], dim=1)
