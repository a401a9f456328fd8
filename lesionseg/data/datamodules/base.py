"""Base of the DataModules: input defaults, loaders and augmentation on the device."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from lesionseg.data.datamodules.loader import LateLoader, SeededSampler
from lesionseg.data.datasets.base import LesionDataset
from lesionseg.data.datasets.sample import Batch, Sample, collate_samples
from lesionseg.data.input_defaults import input_defaults_of
from lesionseg.data.io.reading import check_size
from lesionseg.data.splits import refuse_other_split, save_ids
from lesionseg.data.transforms.augmentation import Augmentation, current_names
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.run_folder import run_folder

Role = Literal["train", "val", "test", "predict"]


class SampleDataset(Protocol):
    """A data set of samples with names."""

    @property
    def ids(self) -> list[str]:
        """Names of the images, in the order of the items."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class BaseDataModule(LightningDataModule, ABC):
    """Provides samples to a Trainer; subclasses implement :meth:`build`.

    ``size``, ``batch_size`` and ``augmentation`` that are None come from the model's
    ``input_defaults`` when the Trainer calls :meth:`setup`, and from ASNet's without a model.
    Training batches are shuffled in every epoch and augmented on the device; an incomplete last
    batch is dropped if there are others. Test batches carry ``truth`` at the original size. While
    fitting, the ids of all three splits are saved as ``splits/train.txt`` and so on in the run's
    folder, if it has one (:func:`lesionseg.run_folder.run_folder`).

    ``transforms`` are applied to training images only, one at a time on the CPU, after an image is
    read, or fetched from the cache, and before ``augmentation``. Their random numbers depend only
    on ``seed``, epoch and image, so that a resumed fit, with or without workers, draws the same as
    one that was not interrupted.

    Args:
        size: Height and width in pixels of the network's input.
        batch_size: Number of images in a batch.
        augmentation: Names for :class:`lesionseg.data.Augmentation`; an empty list for none.
        num_workers: Number of processes that read images; 0 reads in the main process.
        seed: Seed of the order of training images, of their transforms and of random splits.
        allow_trained_images: Whether to test, with a warning, even on images that the checkpoint
            was trained on, which a :class:`lesionseg.models.SegmentationModule` otherwise refuses.
            Only ids of the ISIC archive are compared (:func:`lesionseg.data.archive_ids`).
        plain_epochs: Number of last epochs in which only flips and transpositions are applied,
            beside ``transforms``.
        small_sizes: Sizes that training images are reduced to on the device at first, each for an
            equal share of the epochs; the last share is trained at ``size``.
        cache: Folder for files of decoded images (:meth:`lesionseg.data.PairedDataset.cached`),
            from which training and validation images are read; None reads the original files in
            every epoch. Test and prediction images are read once and are never cached.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every training image and its mask before ``augmentation``; see
            :class:`lesionseg.data.LesionDataset`.

    Attributes:
        size: The resolved size, valid after :meth:`setup`.
        batch_size: The resolved batch size.
        augmentation: The resolved :class:`lesionseg.data.Augmentation`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from lesionseg.data import SyntheticLesions
        >>> class Drawings(BaseDataModule):
        ...     def build(self, role):
        ...         return SyntheticLesions(4, self.size, with_truth=role == "test")
        >>> data = Drawings(size=(32, 48), batch_size=2)
        >>> data.setup("fit")
        >>> next(iter(data.train_dataloader()))["image"].shape
        torch.Size([2, 3, 32, 48])
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        batch_size: int | None = None,
        augmentation: Sequence[str] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        allow_trained_images: bool = False,
        cache: str | Path | None = None,
        plain_epochs: int = 0,
        small_sizes: Sequence[tuple[int, int]] = (),
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__()
        if plain_epochs < 0:
            raise ValueError(f"expected plain_epochs to be at least 0, got {plain_epochs}")
        self.plain_epochs = plain_epochs
        self.small_sizes = tuple(check_size(size) for size in small_sizes)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"expected batch_size to be at least 1, got {batch_size}")
        if num_workers < 0:
            raise ValueError(f"expected num_workers to be at least 0, got {num_workers}")
        self._size = None if size is None else check_size(size)
        self._batch_size = batch_size
        self._augmentation = None if augmentation is None else current_names(augmentation)
        if self._augmentation is not None:
            Augmentation(self._augmentation)  # an unknown name is an error now, not in setup
        self.num_workers = num_workers
        self.seed = seed
        self.allow_trained_images = allow_trained_images
        self.transforms = transforms
        self.cache = None if cache is None else Path(cache).expanduser()
        self.datasets: dict[Role, SampleDataset] = {}
        self._resolve()

    def _resolve(self) -> None:
        """Take arguments that are None from the model's ``input_defaults``."""
        defaults = input_defaults_of(getattr(self.trainer, "lightning_module", None))
        self.size = self._size or check_size(defaults.size)
        self.batch_size = self._batch_size or defaults.batch_size
        names = defaults.augmentation if self._augmentation is None else self._augmentation
        self.augmentation = Augmentation(names)

    @abstractmethod
    def build(self, role: Role) -> SampleDataset:
        """Return the data set of a role; test samples must have ``truth``."""

    def setup(self, stage: str | None = None) -> None:
        """Create the data sets of a stage.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``; None for all but ``predict``.

        Raises:
            TypeError: If there are ``transforms`` and the training set is no
                :class:`lesionseg.data.LesionDataset`.
        """
        self._resolve()
        roles: dict[str | None, tuple[Role, ...]] = {
            "fit": ("train", "val"),
            "validate": ("val",),
            "test": ("test",),
            "predict": ("predict",),
            None: ("train", "val", "test"),
        }
        for role in roles[stage]:
            data = self.build(role)
            if role == "train" and self.transforms is not None:
                if not isinstance(data, LesionDataset):
                    raise TypeError(
                        f"expected build to return a LesionDataset for transforms, got "
                        f"{type(data).__name__}; derive it from lesionseg.data.LesionDataset"
                    )
                data = data.with_transforms(self.transforms)
            self.datasets[role] = data

    def test_part(self) -> tuple[str, str]:
        """Return the names of the tested data set and of its part, after ``setup("test")``.

        They name the results of a test, such as ``("isic2018", "val")``.
        """
        return type(self).__name__.removesuffix("DataModule").lower(), "test"

    def _dataset(self, role: Role) -> SampleDataset:
        if role not in self.datasets:
            stage = {"train": "fit", "val": "validate"}.get(role, role)
            raise RuntimeError(f"call setup({stage!r}) before requesting the {role} loader")
        return self.datasets[role]

    def _loader(self, role: Role, **options: Any) -> "DataLoader[Batch]":
        return LateLoader(
            cast("Dataset[Batch]", self._dataset(role)),
            batch_size=self.batch_size,
            collate_fn=collate_samples,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            # Workers draw their seeds from it when they start; drawing from the global generator
            # would change a resumed fit's random numbers.
            generator=torch.Generator().manual_seed(self.seed),
            pin_memory=torch.cuda.is_available(),
            **options,
        )

    def train_dataloader(self) -> "DataLoader[Batch]":
        """Return shuffled batches for training."""
        data = self._dataset("train")
        self._save_splits()
        return self._loader(
            "train",
            sampler=SeededSampler(data, self.seed, self.transforms is not None),
            # Batch normalization fails on a last batch of one image. Each process gets the same
            # number of images; some are repeated if they cannot be divided evenly.
            drop_last=math.ceil(len(data) / self._world_size()) > self.batch_size,
        )

    def _world_size(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def val_dataloader(self) -> "DataLoader[Batch]":
        """Return validation batches, in order, at the network's size."""
        return self._loader("val")

    def test_dataloader(self) -> "DataLoader[Batch]":
        """Return test batches, in order, with ``truth`` at the original size."""
        return self._loader("test")

    def predict_dataloader(self) -> "DataLoader[Batch]":
        """Return batches to predict, in order, with masks if there are any.

        Raises:
            InvalidDataError: If there are fewer images than processes.
        """
        count, processes = len(self._dataset("predict")), self._world_size()
        if count < processes:
            raise InvalidDataError(
                f"each of {processes} processes needs an image, and there are {count}; use fewer "
                "--trainer.devices."
            )
        return self._loader("predict")

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment training batches on the device."""
        if self.trainer is not None and self.trainer.training and "mask" in batch:
            left = (self.trainer.max_epochs or 0) - self.trainer.current_epoch
            self.augmentation.weakened = 0 < left <= self.plain_epochs
            batch["image"], batch["mask"] = self.augmentation(batch["image"], batch["mask"])
            size = self._training_size(self.trainer.current_epoch, self.trainer.max_epochs or 0)
            if size != self.size:
                batch["image"] = F.interpolate(
                    batch["image"], size, mode="bilinear", antialias=True
                )
                batch["mask"] = F.interpolate(batch["mask"], size, mode="nearest-exact")
        return batch

    def _training_size(self, epoch: int, epochs: int) -> tuple[int, int]:
        """Return the size of training images in an epoch; see ``small_sizes``."""
        sizes = (*self.small_sizes, self.size)
        return sizes[min(epoch * len(sizes) // epochs, len(sizes) - 1)] if epochs > 0 else self.size

    def split_ids(self) -> dict[str, list[str]]:
        """Return the ids of the training, validation and test images that are available."""
        with suppress(LesionsegError, ValueError):  # there may be no test images
            if "test" not in self.datasets:
                self.datasets["test"] = self.build("test")
        return {
            role: list(self.datasets[role].ids)
            for role in ("train", "val", "test")
            if role in self.datasets
        }

    def _save_splits(self) -> None:
        """Save the id lists in the run's folder, so that its split can be used again."""
        if self.trainer is None:
            return
        folder = run_folder(self.trainer)  # a collective call, so not inside rank_zero_only
        splits = self.split_ids()
        if self.trainer.ckpt_path is not None:
            resumed = Path(self.trainer.ckpt_path).absolute().parents[1]
            refuse_other_split(resumed / "splits", splits)
        if folder is not None:
            _write_splits(folder / "splits", splits)


@rank_zero_only
def _write_splits(folder: Path, splits: dict[str, list[str]]) -> None:
    for role, ids in splits.items():
        save_ids(folder / f"{role}.txt", ids)
