"""The base class of the metrics, which keeps a confusion matrix and an id for each image."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lesionseg.metrics.inputs import Masks, check_sizes, masks_to_bool
from lesionseg.metrics.official import Aggregation, check_aggregation
from lesionseg.metrics.rows import PerImageRows
from lesionseg.metrics.table import ScoreTable


class PerImageMetric(PerImageRows):
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

    higher_is_better = True
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    row_dtype = torch.int64

    def __init__(self, aggregation: Aggregation = "image", **kwargs: Any) -> None:
        check_aggregation(aggregation)
        super().__init__(width=4, **kwargs)
        self.aggregation: Aggregation = aggregation

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
        self._add(counts, ids)

    @abstractmethod
    def compute(self) -> Any:
        """Return the score of all images so far."""

    def table(self) -> ScoreTable:
        """Return the per-image table of all images of all processes.

        In distributed use every process must call it, and each receives the whole table, sorted by
        id. Images without an id are named by their position, ``image_000000`` and so on.

        Raises:
            InvalidDataError: If no image was scored yet.
        """
        return ScoreTable(*self._all_images())

    def _table(self) -> ScoreTable:
        """Return the table of the current state, which may be that of all processes."""
        return ScoreTable(*self._images())


def _count(prediction: Tensor | list[Tensor], truth: Tensor | list[Tensor]) -> Tensor:
    """Return the int64 counts (N, 4) of bool masks: tp, fp, fn, tn."""
    check_sizes(prediction, truth, "prediction")
    if isinstance(prediction, Tensor) and isinstance(truth, Tensor):
        return _count_batch(prediction, truth)
    if not len(prediction):
        return torch.zeros((0, 4), dtype=torch.int64)
    return torch.cat(
        [_count_batch(p[None], t[None]) for p, t in zip(prediction, truth, strict=True)]
    )


def _count_batch(prediction: Tensor, truth: Tensor) -> Tensor:
    truth = truth.to(prediction.device)
    tp = torch.count_nonzero(prediction & truth, dim=(1, 2))
    fp = torch.count_nonzero(prediction, dim=(1, 2)) - tp
    fn = torch.count_nonzero(truth, dim=(1, 2)) - tp
    pixels = prediction.shape[1] * prediction.shape[2]
    return torch.stack([tp, fp, fn, pixels - tp - fp - fn], dim=1)
