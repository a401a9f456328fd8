"""Base of the data sets: samples, the user's transforms, and figures."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import Self

from lesionseg.data.datasets.sample import Sample
from lesionseg.data.transforms.pipeline import Transforms, apply_transforms
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.visualization import PREDICTION_COLOR, TRUTH_COLOR, draw_outline, to_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SeededIndex(int):
    """An index of a data set with the seed of its transforms."""

    seed: int

    def __new__(cls, index: int, seed: int) -> SeededIndex:
        """Create an index."""
        made = super().__new__(cls, index)
        made.seed = seed
        return made

    def __reduce__(self) -> tuple[type[SeededIndex], tuple[int, int]]:
        return SeededIndex, (int(self), self.seed)


class LesionDataset(Dataset[Sample], ABC):
    """Base of all data sets: subclasses implement ``ids``, ``__len__`` and ``read_sample``.

    Args:
        with_truth: Whether samples have ``truth``, the mask at the original size, for scoring.
        transforms: Applied to image and mask of every sample: a pipeline of torchvision's v2
            transforms or of albumentations, or a function of image and mask; see
            :func:`lesionseg.data.transforms.pipeline.apply_transforms`.

    Raises:
        ValueError: If ``transforms`` are given with ``with_truth``.

    Example:
        >>> import torch
        >>> class Squares(LesionDataset):
        ...     ids = ["small", "large"]
        ...     def __len__(self):
        ...         return 2
        ...     def read_sample(self, index):
        ...         mask = torch.zeros(1, 8, 8)
        ...         mask[:, : 2 + 4 * index, : 2 + 4 * index] = 1
        ...         image = 1 - mask.expand(3, 8, 8)
        ...         return {"image": image, "mask": mask, "id": self.ids[index], "size": (8, 8)}
        >>> [int(sample["mask"].sum()) for sample in Squares()]
        [4, 36]
        >>> inverted = Squares(transforms=lambda image, mask: (1 - image, mask))
        >>> float(inverted[0]["image"].mean())
        0.0625
    """

    def __init__(self, with_truth: bool = False, transforms: Transforms | None = None) -> None:
        if with_truth and transforms is not None:
            raise ValueError(
                "expected with_truth to be False with transforms, got True; transforms do not "
                "change truth"
            )
        self.with_truth = with_truth
        self.transforms = transforms

    @property
    @abstractmethod
    def ids(self) -> list[str]:
        """Names of the images, in the order of the items."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read_sample(self, index: int) -> Sample:
        """Return a sample without transforms.

        Raises:
            IndexError: If the index is out of range.
        """

    def read_samples(self, indices: Sequence[int]) -> list[Sample]:
        """Return several samples without transforms."""
        return [self.read_sample(index) for index in indices]

    def __getitem__(self, index: int) -> Sample:
        """Return a sample."""
        if not 0 <= index < len(self):
            index = range(len(self))[index]  # an IndexError ends iteration
        return self._transformed(self.read_sample(int(index)), index)

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Return the samples of a batch, which torch's DataLoader asks for."""
        samples = self.read_samples(indices)
        if self.transforms is None:
            return samples
        pairs = zip(samples, indices, strict=True)
        return [self._transformed(sample, index) for sample, index in pairs]

    def _transformed(self, sample: Sample, index: int) -> Sample:
        if self.transforms is None:
            return sample
        return apply_transforms(self.transforms, sample, getattr(index, "seed", None))

    def with_transforms(self, transforms: Transforms | None) -> Self:
        """Return the same data set with other transforms."""
        other = copy.copy(self)
        LesionDataset.__init__(other, self.with_truth, transforms)
        return other

    def plot(
        self,
        sample: Sample,
        prediction: Tensor | npt.NDArray[np.generic] | None = None,
        show_titles: bool = True,
        suptitle: str | None = None,
    ) -> Figure:
        """Plot a sample: its image, the outline of its mask, and that of a prediction.

        Args:
            sample: Item of this data set.
            prediction: Mask or probabilities (H, W) or (1, H, W) of the sample's image; lesion is
                above 0.5.
            show_titles: Whether to show a title above each panel.
            suptitle: Title of the figure.

        Returns:
            Figure of one to three panels: the image, the mask if there is one (green), and the
            prediction if given (red).

        Raises:
            ValueError: If the prediction has another size than the image.

        Example:
            >>> from lesionseg.data import SyntheticLesions
            >>> data = SyntheticLesions(length=1, size=(48, 64))
            >>> figure = data.plot(data[0], prediction=data[0]["mask"], suptitle="drawn")
            >>> [axes.get_title() for axes in figure.axes]
            ['Image', 'Mask', 'Prediction']
        """
        from matplotlib import pyplot  # slow to import

        picture = to_picture(sample["image"])
        panels = [("Image", picture)]
        if "mask" in sample:
            panels.append(("Mask", draw_outline(picture, _as_mask(sample["mask"]), TRUTH_COLOR)))
        if prediction is not None:
            outline = draw_outline(picture, _as_mask(prediction), PREDICTION_COLOR)
            panels.append(("Prediction", outline))
        height = 4 * picture.height / picture.width + 0.5
        figure, grid = pyplot.subplots(
            1, len(panels), figsize=(4 * len(panels), height), squeeze=False, layout="constrained"
        )
        for axes, (title, panel) in zip(grid[0], panels, strict=True):
            axes.imshow(np.asarray(panel))
            axes.axis("off")
            if show_titles:
                axes.set_title(title)
        if suptitle is not None:
            figure.suptitle(suptitle)
        return figure


def _as_mask(values: Tensor | npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Return a mask (H, W) of a mask or probabilities (H, W) or (1, H, W)."""
    values = torch.as_tensor(values).detach().cpu()
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    mask: npt.NDArray[np.bool_] = (values.float() > PROBABILITY_THRESHOLD).numpy()
    return mask
