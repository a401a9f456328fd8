"""The PH2 data set for a Trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lesionseg.data.datamodules.base import BaseDataModule, Role
from lesionseg.data.datasets.ph2 import PH2Dataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.splits import check_fold, k_fold, train_val_split
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import LesionsegError


class PH2DataModule(BaseDataModule):
    """PH2's 200 images, as an external test set or split for training.

    - ``test``: tests, validates and predicts all images; there are no training images.
    - ``holdout``: holds out a seeded part, validates and tests on it, and trains on the others.
    - ``k-fold``: holds out a fold, validates and tests on it, and trains on the others.

    Args:
        root: The extracted folder ``PH2Dataset``, the folder that contains it, or ``PH2 Dataset
            images``; see :class:`lesionseg.data.PH2Dataset`.
        split: ``test``, ``holdout`` or ``k-fold``.
        val_fraction: Fraction of the images that ``holdout`` holds out.
        fold: Index of the held-out fold of ``k-fold``, from 0.
        num_folds: Number of folds of ``k-fold``.
        size: Height and width in pixels of the network's input; None for the model's.
        batch_size: Number of images in a batch; None for the model's.
        augmentation: Names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: Number of processes that read images; 0 reads in the main process.
        seed: Seed of the split, of the order of training images and of their transforms.
        cache: Folder for files of decoded images, from which training and validation images are
            read; None reads the original files in every epoch.
        on_error: ``skip`` reads every file once when the data are set up, before any split, and
            skips what cannot be used, with a warning that lists each and the reason; ``stop`` ends
            the run at the first such file.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every training image and its mask before ``augmentation``; see
            :class:`lesionseg.data.LesionDataset`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> data = PH2DataModule("PH2Dataset", split="k-fold", fold=1, batch_size=4)
        >>> data.split, data.test_part()
        ('k-fold', ('ph2', 'fold1of5'))
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal["test", "holdout", "k-fold"] = "test",
        val_fraction: float = 0.2,
        fold: int = 0,
        num_folds: int = 5,
        size: tuple[int, int] | None = None,
        batch_size: int | None = None,
        augmentation: Sequence[str] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        cache: str | Path | None = None,
        on_error: OnError = "stop",
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(
            size, batch_size, augmentation, num_workers, seed, cache=cache, transforms=transforms
        )
        if split not in ("test", "holdout", "k-fold"):
            raise ValueError(f"expected split to be test, holdout or k-fold, got {split!r}")
        if not 0 < val_fraction < 1:
            raise ValueError(f"expected val_fraction to be between 0 and 1, got {val_fraction}")
        check_fold(fold, num_folds)
        self.root = Path(root).expanduser()
        self.split = split
        self.val_fraction = val_fraction
        self.fold = fold
        self.num_folds = num_folds
        self.on_error = check_on_error(on_error)

    def test_part(self) -> tuple[str, str]:
        """Return ``ph2``, and ``all``, ``val`` or the fold that is tested."""
        fold = f"fold{self.fold}of{self.num_folds}"
        return "ph2", {"test": "all", "holdout": "val", "k-fold": fold}[self.split]

    def build(self, role: Role) -> PH2Dataset:
        """Return the data set of a role.

        Raises:
            LesionsegError: If training images are requested with ``split="test"``.
        """
        with_truth = role == "test"
        data = PH2Dataset(self.root, self.size, with_truth, self.on_error)
        if self.cache is not None and role in ("train", "val"):
            data = data.cached(self.cache)
        if self.split == "test":
            if role == "train":
                raise LesionsegError(
                    "all of PH2 is for testing; to train on it, set split to holdout or k-fold."
                )
            return data
        if self.split == "k-fold":
            train, held_out = k_fold(data.ids, self.num_folds, self.fold, self.seed)
        else:
            train, held_out = train_val_split(data.ids, self.val_fraction, self.seed)
        return data.subset(train if role == "train" else held_out)
