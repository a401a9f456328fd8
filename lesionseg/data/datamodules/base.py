"""What all DataModules share: input defaults, loaders and augmentation on the device."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from lesionseg.data.datamodules.loader import LateLoader
from lesionseg.data.datamodules.sampler import SeededSampler
from lesionseg.data.datasets.sample import Batch, Sample, collate_samples
from lesionseg.data.input_defaults import input_defaults_of
from lesionseg.data.io.reading import check_size
from lesionseg.data.splits import refuse_other_split, save_ids
from lesionseg.data.transforms.augmentation import Augmentation, current_names
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.run_folder import run_folder

Role = Literal["train", "val", "test", "predict"]


class SampleDataset(Protocol):
    """A data set of samples that knows its images' names."""

    @property
    def ids(self) -> list[str]:
        """Names of the images, in the order of the items."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class BaseDataModule(LightningDataModule):
    """Feeds samples to a Trainer; sub-classes say which data set plays which role.

    ``size``, ``batch_size`` and ``augmentation`` that are None come from the model's
    ``input_defaults`` when the Trainer calls :meth:`setup`, and from ASNet's without a model.
    Training batches are shuffled in every epoch and augmented on the device; an incomplete last
    batch is dropped if there are others. Test batches carry ``truth`` at the original size. While
    fitting, the ids of all three splits are saved as ``splits/train.txt`` and so on in the run's
    folder, if it has one (:func:`lesionseg.run_folder.run_folder`).

    Args:
        size: height and width in pixels of the network's input.
        batch_size: images in one batch.
        augmentation: names for :class:`lesionseg.data.Augmentation`; an empty list for none.
        num_workers: processes that read images; 0 reads in the main one.
        seed: of the order of training images and of random splits.
        allow_trained_images: test even on images that the checkpoint was trained on, with a
            warning; without it a :class:`lesionseg.models.SegmentationModule` refuses. Only the
            ISIC archive's ids are compared (:func:`lesionseg.data.archive_ids`).
        plain_epochs: In so many last epochs only flips and transpositions are applied.
        small_sizes: Sizes that training images are reduced to on the device at first, each for an
            equal share of the epochs; the last share is trained at ``size``.
        cache: folder for files of decoded images (:meth:`lesionseg.data.PairedDataset.cached`),
            from which training and validation images are read; None reads the original files in
            every epoch. What is tested or predicted is read once and is never cached.

    Attributes:
        size: the resolved size; what it is before :meth:`setup` does not count.
        batch_size: the resolved batch size.
        augmentation: the resolved :class:`lesionseg.data.Augmentation`.

    Raises:
        ValueError: if an argument is out of range.
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
    ) -> None:
        super().__init__()
        if plain_epochs < 0:
            raise ValueError(f"plain_epochs must be 0 or more, got {plain_epochs}")
        self.plain_epochs = plain_epochs
        self.small_sizes = tuple(check_size(size) for size in small_sizes)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1: {batch_size}")
        if num_workers < 0:
            raise ValueError(f"num_workers must be 0 or more: {num_workers}")
        self._size = None if size is None else check_size(size)
        self._batch_size = batch_size
        self._augmentation = None if augmentation is None else current_names(augmentation)
        if self._augmentation is not None:
            Augmentation(self._augmentation)  # an unknown name is an error now, not in setup
        self.num_workers = num_workers
        self.seed = seed
        self.allow_trained_images = allow_trained_images
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
        """Make the data set for a role; its test samples have ``truth``."""

    def setup(self, stage: str | None = None) -> None:
        """Make the data sets that a stage needs, at the size that the model expects.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``; None for all but ``predict``.
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
            self.datasets[role] = self.build(role)

    def test_part(self) -> tuple[str, str]:
        """Return what is tested, after ``setup("test")``: names of the data set and of its part.

        Results of a test are filed under them, such as ``("isic2018", "val")``.
        """
        return type(self).__name__.removesuffix("DataModule").lower(), "test"

    def _dataset(self, role: Role) -> SampleDataset:
        if role not in self.datasets:
            stage = {"train": "fit", "val": "validate"}.get(role, role)
            raise RuntimeError(f"Call setup({stage!r}) before asking for the {role} loader.")
        return self.datasets[role]

    def _loader(self, role: Role, **options: Any) -> "DataLoader[Batch]":
        return LateLoader(
            cast("Dataset[Batch]", self._dataset(role)),
            batch_size=self.batch_size,
            collate_fn=collate_samples,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            # Workers take their seeds from it when they start; the global one would differ by that
            # between a fit that is resumed and one that was never stopped.
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
            sampler=SeededSampler(data, self.seed),
            # Batch normalization breaks on a last batch of one image. Each process gets the same
            # number of images, some of them twice where they do not go around.
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
        """Return batches to predict, in order, without masks where there are none.

        Raises:
            InvalidDataError: if there are fewer images than processes.
        """
        count, processes = len(self._dataset("predict")), self._world_size()
        if count < processes:
            raise InvalidDataError(
                f"{processes} processes need an image each, and there are {count}; predict with "
                "fewer --trainer.devices."
            )
        return self._loader("predict")

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment training batches, on the device that they have been moved to."""
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
        """The size that images are trained at in an epoch; see ``small_sizes``."""
        sizes = (*self.small_sizes, self.size)
        return sizes[min(epoch * len(sizes) // epochs, len(sizes) - 1)] if epochs > 0 else self.size

    def split_ids(self) -> dict[str, list[str]]:
        """Return the ids of the training, validation and test images, as far as they are there."""
        with suppress(LesionsegError, ValueError):  # a run may have nothing to test on
            if "test" not in self.datasets:
                self.datasets["test"] = self.build("test")
        return {
            role: list(self.datasets[role].ids)
            for role in ("train", "val", "test")
            if role in self.datasets
        }

    def _save_splits(self) -> None:
        """Write the id lists into the run's folder, so that its split can be used again."""
        if self.trainer is None:
            return
        folder = run_folder(self.trainer)  # asks all processes; so not inside rank_zero_only
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
