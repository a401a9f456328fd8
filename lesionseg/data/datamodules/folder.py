"""Images and masks in folders for a Trainer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias, cast

from lesionseg.data.datamodules.base import BaseDataModule, Role
from lesionseg.data.datasets.folder import FolderDataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.discovery.image_set import ImageSet
from lesionseg.data.discovery.names import HOW_NAMES_MATCH
from lesionseg.data.discovery.scanner import find_sets, find_split
from lesionseg.data.discovery.sources import as_list, is_table
from lesionseg.data.exclusion import Exclusion, IdLists
from lesionseg.data.splits import check_fold, k_fold, train_val_split
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

# The list is first: "[a,b]" on the command line is a list, not a path.
Files: TypeAlias = list[str] | str | Path | None
#: Names of folders that do not name a data set.
_PARTS = {
    *("image", "images", "img", "imgs", "input", "inputs", "imagestr", "imagests"),
    *("train", "training", "val", "valid", "validation", "test", "testing"),
}


class FolderDataModule(BaseDataModule):
    """Images and masks in folders, paired by name as by :class:`lesionseg.data.FolderDataset`.

    ``root`` alone is enough for common layouts; ``train_images`` and similar arguments give the
    images of each role. Without masks for them, they are searched for images and masks like
    ``root``.

    Without validation images, a seeded part of the training images is held out. Without test
    images, the validation images are tested. With ``split="k-fold"`` a fold of the training images
    is held out, validated and tested, whatever other images there are. Requesting a role without
    images is an error.

    Args:
        train_images: Folder of training images, pattern such as ``photos/*_a.jpg``, ``.txt`` file
            of paths, or a list of these; or a CSV file of images and masks.
        train_masks: The same of their masks; None if they are beside the images or in the CSV file.
        val_images: Validation images.
        val_masks: Their masks.
        test_images: Test images.
        test_masks: Their masks.
        predict_images: Images to predict; without them the test images, or else the validation
            images, are predicted.
        val_fraction: Fraction of the training images that is held out if there is no
            ``val_images``.
        size: Height and width in pixels of the network's input; None for the model's.
        batch_size: Number of images in a batch; None for the model's.
        augmentation: Names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: Number of processes that read images; 0 reads in the main process.
        seed: Seed of the split, of the order of training images and of their transforms.
        exclude: Names of official id lists such as ``isic2017-test``, or files of ids; images of
            these stems are removed from ``train_images`` before a part of them is held out. Other
            images are not changed.
        allow_trained_images: Whether to test even on images that the checkpoint was trained on.
        split: ``holdout``, or ``k-fold`` for cross-validation.
        fold: Index of the held-out fold of ``k-fold``, from 0.
        num_folds: Number of folds of ``k-fold``.
        cache: Folder for files of decoded images, one per folder of images and size, from which
            training and validation images are read; None reads the original files in every epoch.
        on_error: ``skip`` reads every file once when the data are set up, before any split, and
            skips what cannot be used, with a warning that lists each and the reason; ``stop`` ends
            the run at the first such file.
        mask_threshold: Gray value above which all masks are lesion; None determines it for each
            folder of masks, see :class:`lesionseg.data.PairedDataset`.
        root: Folder in which images and masks of all roles are found
            (:func:`lesionseg.data.discovery.scanner.find_sets` lists the layouts), or a CSV file of
            image and mask paths with a column ``split``. Other arguments override it.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every training image and its mask before ``augmentation``; see
            :class:`lesionseg.data.LesionDataset`.

    Raises:
        ValueError: If masks are given without images.
        LesionsegError: If an id list of ``exclude`` does not exist.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("a", "b", "c", "d", "e"):
        ...         Image.new("RGB", (40, 30)).save(Path(root, f"{name}.jpg"))
        ...         Image.new("L", (40, 30)).save(Path(root, f"{name}_mask.png"))
        ...     data = FolderDataModule(root=root, size=(24, 32), batch_size=2)
        ...     data.setup("fit")
        ...     len(data.datasets["train"]), len(data.datasets["val"])
        (4, 1)
    """

    def __init__(
        self,
        train_images: Files = None,
        train_masks: Files = None,
        val_images: Files = None,
        val_masks: Files = None,
        test_images: Files = None,
        test_masks: Files = None,
        predict_images: Files = None,
        val_fraction: float = 0.2,
        size: tuple[int, int] | None = None,
        batch_size: int | None = None,
        augmentation: Sequence[str] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        exclude: IdLists = None,
        allow_trained_images: bool = False,
        split: Literal["holdout", "k-fold"] = "holdout",
        fold: int = 0,
        num_folds: int = 5,
        cache: str | Path | None = None,
        on_error: OnError = "stop",
        mask_threshold: int | None = None,
        root: str | Path | None = None,
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
            transforms=transforms,
        )
        self.images: dict[Role, Files] = {
            "train": train_images,
            "val": val_images,
            "test": test_images,
            "predict": predict_images,
        }
        self.masks: dict[Role, Files] = {
            "train": train_masks,
            "val": val_masks,
            "test": test_masks,
        }
        for role in self.masks:
            if self.images[role] is None and self.masks[role] is not None:
                raise ValueError(f"expected {role}_images with {role}_masks; give both or neither")
        if not 0 < val_fraction < 1:
            raise ValueError(f"expected val_fraction to be between 0 and 1, got {val_fraction}")
        if split not in ("holdout", "k-fold"):
            raise ValueError(f"expected split to be holdout or k-fold, got {split!r}")
        check_fold(fold, num_folds)
        self.val_fraction = val_fraction
        self.split = split
        self.fold = fold
        self.num_folds = num_folds
        self.excluded = Exclusion(exclude)
        self.on_error = check_on_error(on_error)
        self.mask_threshold = mask_threshold
        self.root = None if root is None else Path(root).expanduser()

    def test_part(self) -> tuple[str, str]:
        """Return the name of the tested images' folder, and their part of the data.

        For a folder called ``images``, ``test`` or similar, the name of its parent is used.
        """
        folders = cast(FolderDataset, self.datasets["test"]).pairs[0].image.absolute().parents
        names = (path.name for path in folders if path.name and path.name.lower() not in _PARTS)
        if self.split == "k-fold":
            part = f"fold{self.fold}of{self.num_folds}"
        else:
            part = "test" if self._has("test") else "val"
        return next(names, "folder"), part

    def build(self, role: Role) -> FolderDataset:
        """Return the data set of a role."""
        if role == "predict":
            return self._unmasked()
        if role == "test" and (self.split == "k-fold" or not self._has("test")):
            return self._read("val", with_truth=True)
        return self._read(role, with_truth=role == "test")

    def _has(self, role: Literal["train", "val", "test"]) -> bool:
        return self.images[role] is not None or self._found(role) is not None

    def _found(self, role: Literal["train", "val", "test"]) -> ImageSet | None:
        """Return the images and masks of a role in ``root``."""
        found = None if self.root is None else find_split(self.root, role, strict=True)
        return found if found is not None and found.masks is not None else None

    def _unmasked(self) -> FolderDataset:
        """Return the images to predict."""
        if self.images["predict"] is not None:
            return self._images_of(self.images["predict"])
        for role in ("test", "val"):
            if (images := self.images[role]) is not None:
                return self._images_of(images, role)
            if self.root is not None and (found := find_split(self.root, role, strict=True)):
                return FolderDataset(
                    replace(found, masks=None), None, self.size, False, self.on_error
                )
        return self._read("val")

    def _images_of(
        self, images: Files, role: Literal["test", "val"] | None = None
    ) -> FolderDataset:
        assert images is not None
        if role is not None and self.masks[role] is None:  # a layout, as in the test
            found = replace(self._layout(images, role), masks=None)
            return FolderDataset(found, None, self.size, on_error=self.on_error)
        return FolderDataset(images, None, self.size, on_error=self.on_error)

    def _layout(self, images: Files, role: Literal["train", "val", "test"]) -> ImageSet:
        """Return the images and masks found in a role's images."""
        assert images is not None
        for path in as_list(images):
            if not path.is_dir() and not is_table(path):
                raise DatasetNotFoundError(
                    f"there is neither a folder nor a CSV file {path} to find masks in; add "
                    f"{role}_masks to {role}_images."
                )
        found = find_split(images, role)
        assert found is not None
        return found

    def _source(
        self, role: Literal["train", "val", "test"], with_truth: bool = False
    ) -> FolderDataset:
        """Return the pairs of a role, as given or as found."""
        images, masks = self.images[role], self.masks[role]
        if images is not None and masks is not None:
            return FolderDataset(
                images, masks, self.size, with_truth, self.on_error, self.mask_threshold
            )
        if images is not None:
            found = self._layout(images, role)
        elif (in_root := self._found(role)) is not None:
            found = in_root
        elif self.root is not None:
            sets = find_sets([self.root])
            listed = "; ".join(
                f"{item.name}: {len(item.images)} images, "
                + ("no masks" if item.masks is None else f"{len(item.masks)} masks")
                for item in sets
            )
            raise InvalidDataError(
                f"there are no {role} images with masks in {self.root}, only {listed}; "
                f"{HOW_NAMES_MATCH}; or give {role}_images and {role}_masks."
            )
        else:
            raise ValueError(f"there are no {role} images; give {role}_images and {role}_masks")
        if found.masks is None:
            raise InvalidDataError(
                f"there are {len(found.images)} images in {found.name} and no masks beside them; "
                f"{HOW_NAMES_MATCH}; or give {role}_masks."
            )
        return FolderDataset(found, None, self.size, with_truth, self.on_error, self.mask_threshold)

    def _read(
        self, role: Literal["train", "val", "test"], with_truth: bool = False
    ) -> FolderDataset:
        folds = self.split == "k-fold"
        held_out = role in ("train", "val") and (folds or not self._has("val"))
        source: Literal["train", "val", "test"] = "train" if held_out else role
        data = self._source(source, with_truth)
        if self.cache is not None and not with_truth:
            data = data.cached(self.cache)
        if source != "train":
            return data
        ids = self.excluded.remove(data.ids)
        if held_out:
            train, val = (
                k_fold(ids, self.num_folds, self.fold, self.seed)
                if folds
                else train_val_split(ids, self.val_fraction, self.seed)
            )
            ids = train if role == "train" else val
        return data.subset(ids)
