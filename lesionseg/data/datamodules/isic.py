"""The ISIC challenges' data for a Trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from lightning.pytorch.utilities import rank_zero_info

from lesionseg.data.archives import OfficialSplit, Year
from lesionseg.data.datamodules.base import BaseDataModule, Role
from lesionseg.data.datasets.isic import ISICDataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.download.isic import download_isic
from lesionseg.data.exclusion import Exclusion, IdLists, only
from lesionseg.data.splits import check_fold, k_fold, shuffle_ids, train_val_split
from lesionseg.data.transforms.pipeline import Transforms


class ISICDataModule(BaseDataModule):
    """A year of the ISIC challenge, split in one of three ways.

    - ``official``: trains on the official training set, validates on the official validation set.
    - ``holdout``: trains on 80 % of the training set and validates on 20 % (MobileGAN, section 3).
    - ``k-fold``: trains on all folds but one; validates *and* tests on that fold (ASNet, section
      2.5). Its best checkpoint is therefore chosen on the images that it is tested on, as in the
      paper; use ``holdout`` to avoid that.

    ``official`` and ``holdout`` test on ``test_split``.

    Args:
        root: Folder that contains the official folders.
        year: 2016, 2017 or 2018.
        split: ``official``, ``holdout`` or ``k-fold``.
        val_fraction: Fraction of the training images that ``holdout`` validates on.
        fold: Index of the held-out fold of ``k-fold``, from 0.
        num_folds: Number of folds of ``k-fold``.
        test_split: Official split to test on, ``val``, ``test`` or even ``train``; None is ``test``
            if its images and ground truth are present, otherwise ``val``.
        predict_split: Official split to predict, with or without ground truth; None is ``test`` if
            its images are present, otherwise ``val``.
        limit: Number of training images to use, a seeded choice; None for all.
        size: Height and width in pixels of the network's input; None for the model's.
        batch_size: Number of images in a batch; None for the model's.
        augmentation: Names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: Number of processes that read images; 0 reads in the main process.
        seed: Seed of the random splits, of ``limit``, of the order of training images and of their
            transforms.
        exclude: Names of official id lists such as ``isic2017-test``, or files of ids; their images
            are removed from the training set before it is split, thus also from the images that
            ``holdout`` and ``k-fold`` hold out. Official validation and test sets are not changed.
        allow_trained_images: Whether to test even on images that the checkpoint was trained on.
        test_only: Id lists as for ``exclude``; only their images are tested.
        cache: Folder for files of decoded images, one per official split and size, shared by all
            folds, seeds and limits; training and validation images are read from there. None reads
            the original files in every epoch.
        download: Whether to first download missing parts of the official splits that are used to
            ``root``, in one process of each machine; see :func:`lesionseg.data.download_isic`.
        on_error: ``skip`` reads every file once when the data are set up, before any split, and
            skips what cannot be used, with a warning that lists each and the reason; ``stop`` ends
            the run at the first such file.
        plain_epochs: Number of last epochs in which only flips and transpositions are applied,
            beside ``transforms``.
        small_sizes: Sizes that training images are reduced to on the device at first, each for an
            equal share of the epochs; the last share is trained at ``size``.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every training image and its mask before ``augmentation``; see
            :class:`lesionseg.data.LesionDataset`.

    Raises:
        ValueError: If an argument is out of range.
        LesionsegError: If an id list of ``exclude`` or ``test_only`` does not exist, or a download
            fails.

    Example:
        >>> data = ISICDataModule("isic", year=2018, split="k-fold", fold=2, batch_size=4)
        >>> data.split, data.test_part()
        ('k-fold', ('isic2018', 'fold2of5'))
    """

    def __init__(
        self,
        root: str | Path,
        year: Year = 2018,
        split: Literal["official", "holdout", "k-fold"] = "official",
        val_fraction: float = 0.2,
        fold: int = 0,
        num_folds: int = 5,
        test_split: OfficialSplit | None = None,
        predict_split: OfficialSplit | None = None,
        limit: int | None = None,
        size: tuple[int, int] | None = None,
        batch_size: int | None = None,
        augmentation: Sequence[str] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        exclude: IdLists = None,
        allow_trained_images: bool = False,
        test_only: IdLists = None,
        cache: str | Path | None = None,
        download: bool = False,
        on_error: OnError = "stop",
        plain_epochs: int = 0,
        small_sizes: Sequence[tuple[int, int]] = (),
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(
            size,
            batch_size,
            augmentation,
            num_workers,
            seed,
            allow_trained_images,
            cache,
            plain_epochs,
            small_sizes,
            transforms,
        )
        if split not in ("official", "holdout", "k-fold"):
            raise ValueError(f"expected split to be official, holdout or k-fold, got {split!r}")
        check_fold(fold, num_folds)
        if not 0 < val_fraction < 1:
            raise ValueError(f"expected val_fraction to be between 0 and 1, got {val_fraction}")
        if limit is not None and limit < 1:
            raise ValueError(f"expected limit to be at least 1, got {limit}")
        needed: set[OfficialSplit] = {"train"}
        needed |= {"val"} if split == "official" else set()
        needed |= {named for named in (test_split, predict_split) if named is not None}
        for official in sorted(needed):
            ISICDataset.check(year, official)
        self.root = Path(root).expanduser()
        self.year: Year = year
        self.split = split
        self.val_fraction = val_fraction
        self.fold = fold
        self.num_folds = num_folds
        self.test_split = test_split
        self.predict_split = predict_split
        self.limit = limit
        self.excluded = Exclusion(exclude)
        self.test_only = test_only
        self.download = download
        self.on_error = check_on_error(on_error)

    def prepare_data(self) -> None:
        """Download missing archives; the Trainer calls this in one process of each machine."""
        if self.download:
            stage = None if self.trainer is None else self.trainer.state.fn
            splits = self._splits_used(None if stage is None else str(stage.value))
            download_isic(self.root, self.year, splits, mirror=ISICDataset.url)

    def _splits_used(self, stage: str | None) -> list[str]:
        """Return the official splits that a stage reads, all of them without a Trainer."""
        folds = self.split == "k-fold"
        held_out = "val" if self.split == "official" else "train"
        used: dict[str | None, set[str]] = {
            "fit": {"train", held_out},
            "validate": {held_out},
            "test": {"train" if folds else self.test_split or "test"},
            "predict": {self.predict_split or "test"},
        }
        return sorted(used[stage] if stage in used else set[str]().union(*used.values()))

    def build(self, role: Role) -> ISICDataset:
        """Return the data set of a role."""
        if role == "train":
            return self._train()
        if role == "val":
            return self._read("val") if self.split == "official" else self._held_out()
        if role == "predict":
            return self._read(self.predict_split or self._first_present(masks=False), masks=False)
        if self.split == "k-fold":
            tested = self._held_out(with_truth=True)
        else:
            split = self.test_split or self._first_present(masks=True)
            tested = self._read(split, with_truth=True)
        return tested.subset(only(tested.ids, self.test_only))

    def setup(self, stage: str | None = None) -> None:
        """Create the data sets of a stage, and report which images are tested."""
        super().setup(stage)
        if "test" in self.datasets and stage == "test":
            tested = cast(ISICDataset, self.datasets["test"])
            part = f"{tested.split} split"
            if self.split == "k-fold":
                part = f"training set's fold {self.fold} of {self.num_folds}"
            rank_zero_info(f"Testing on {len(tested)} images: ISIC {self.year}, the {part}.")

    def test_part(self) -> tuple[str, str]:
        """Return the year's name, and the official split or the fold that is tested."""
        if self.split == "k-fold":
            return f"isic{self.year}", f"fold{self.fold}of{self.num_folds}"
        return f"isic{self.year}", cast(ISICDataset, self.datasets["test"]).split

    def _read(
        self, split: OfficialSplit, with_truth: bool = False, masks: bool = True
    ) -> ISICDataset:
        data = ISICDataset(
            self.root, self.year, split, self.size, with_truth, masks, on_error=self.on_error
        )
        return data if self.cache is None or with_truth or not masks else data.cached(self.cache)

    def _first_present(self, masks: bool) -> OfficialSplit:
        """Return ``test`` if it is present or nothing is, otherwise ``val``."""
        if not ISICDataset.has(self.root, self.year, "test", masks) and ISICDataset.has(
            self.root, self.year, "val", masks
        ):
            return "val"
        return "test"

    def _divide(self, ids: list[str]) -> tuple[list[str], list[str]]:
        """Split the official training ids into a training and a held-out part."""
        if self.split == "k-fold":
            return k_fold(ids, self.num_folds, self.fold, self.seed)
        return train_val_split(ids, self.val_fraction, self.seed)

    def _held_out(self, with_truth: bool = False) -> ISICDataset:
        data = self._read("train", with_truth)
        return data.subset(self._divide(self.excluded.remove(data.ids))[1])

    def _train(self) -> ISICDataset:
        data = self._read("train")
        ids = self.excluded.remove(data.ids)
        if self.split != "official":
            ids = self._divide(ids)[0]
        if self.limit is not None:
            ids = sorted(shuffle_ids(ids, self.seed)[: self.limit])
        return data.subset(ids)
