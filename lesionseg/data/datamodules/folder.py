"""Images and masks of any user for a Trainer."""

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
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

# A list goes first: "[a,b]" on the command line is one, not a path.
Files: TypeAlias = list[str] | str | Path | None
#: Names of folders that do not tell one data set from another.
_PARTS = {
    *("image", "images", "img", "imgs", "input", "inputs", "imagestr", "imagests"),
    *("train", "training", "val", "valid", "validation", "test", "testing"),
}


class FolderDataModule(BaseDataModule):
    """Images and masks of any user, paired by name as :class:`lesionseg.data.FolderDataset` does.

    ``root`` alone finds common layouts by itself; ``train_images`` and the like say where the
    images of each role are. Without masks for them, ``train_images`` and so on are searched for
    images and masks as ``root`` is.

    Without validation images, a seeded part of the training images is held out. Without test
    images, the validation images are tested. With ``split="k-fold"`` one fold of the training
    images is held out, validated and tested, whatever other images there are. A role that has no
    images cannot be asked for.

    Args:
        train_images: folder of training images, pattern such as ``photos/*_a.jpg``, ``.txt`` file
            of paths, or a list of these; or a CSV file of images and masks.
        train_masks: the same of their masks; None where they are to be found beside the images or
            stand in the CSV file.
        val_images: validation images.
        val_masks: their masks.
        test_images: test images.
        test_masks: their masks.
        predict_images: images to predict; test images, then validation images, are predicted
            without it.
        val_fraction: share of training images that are held out if there is no ``val_images``.
        size: height and width in pixels of the network's input; None for the model's.
        batch_size: images in one batch; None for the model's.
        augmentation: names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: processes that read images; 0 reads in the main one.
        seed: of the split and of the order of training images.
        exclude: names of official lists of ids such as ``isic2017-test``, or files of ids;
            images of these stems are taken out of ``train_images``, before a part of them is held
            out. Other folders keep theirs.
        allow_trained_images: test even on images that the checkpoint was trained on.
        split: ``holdout``, or ``k-fold`` for cross-validation.
        fold: the held-out fold of ``k-fold``, from 0.
        num_folds: number of folds of ``k-fold``.
        cache: folder for files of decoded images, one for each folder of images and size; training
            and validation images are read from there. None reads the original files in every epoch.
        on_error: ``skip`` reads every file once when the data are set up, before any split, and
            leaves out what cannot be used, with a warning that names each and the reason; ``stop``
            ends the run at the first such file.
        mask_threshold: lesion is what lies above this grey value of all masks; None decides from
            the values of each folder's, see :class:`lesionseg.data.PairedDataset`.
        root: folder in which images and masks of all roles are found
            (:func:`lesionseg.data.discovery.scanner.find_sets` says in which layouts), or a CSV
            file of image and mask paths with a column ``split``. What other arguments name goes
            first.

    Raises:
        ValueError: if masks come without images.
        LesionsegError: if there is no list of a name in ``exclude``.
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
    ) -> None:
        super().__init__(
            size, batch_size, augmentation, num_workers, seed, allow_trained_images, cache
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
            raise ValueError(f"val_fraction must lie between 0 and 1, such as 0.2: {val_fraction}")
        if split not in ("holdout", "k-fold"):
            raise ValueError(f"split must be holdout or k-fold: {split!r}")
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
        """Return the name of the tested images' folder, and which part of the data they are.

        A folder that is called ``images``, ``test`` or the like goes by the one around it.
        """
        folders = cast(FolderDataset, self.datasets["test"]).pairs[0].image.absolute().parents
        names = (one.name for one in folders if one.name and one.name.lower() not in _PARTS)
        if self.split == "k-fold":
            part = f"fold{self.fold}of{self.num_folds}"
        else:
            part = "test" if self._has("test") else "val"
        return next(names, "folder"), part

    def build(self, role: Role) -> FolderDataset:
        """Make the data set for a role."""
        if role == "predict":
            return self._unmasked()
        if role == "test" and (self.split == "k-fold" or not self._has("test")):
            return self._read("val", with_truth=True)
        return self._read(role, with_truth=role == "test")

    def _has(self, role: Literal["train", "val", "test"]) -> bool:
        return self.images[role] is not None or self._found(role) is not None

    def _found(self, role: Literal["train", "val", "test"]) -> ImageSet | None:
        """What ``root`` holds for a role, with masks."""
        one = None if self.root is None else find_split(self.root, role, strict=True)
        return one if one is not None and one.masks is not None else None

    def _unmasked(self) -> FolderDataset:
        """The images to predict."""
        if self.images["predict"] is not None:
            return self._images_of(self.images["predict"])
        for role in ("test", "val"):
            if (images := self.images[role]) is not None:
                return self._images_of(images, role)
            if self.root is not None and (one := find_split(self.root, role, strict=True)):
                return FolderDataset(
                    replace(one, masks=None), None, self.size, False, self.on_error
                )
        return self._read("val")

    def _images_of(
        self, images: Files, role: Literal["test", "val"] | None = None
    ) -> FolderDataset:
        assert images is not None
        if role is not None and self.masks[role] is None:  # a layout, as in the test
            one = replace(self._layout(images, role), masks=None)
            return FolderDataset(one, None, self.size, on_error=self.on_error)
        return FolderDataset(images, None, self.size, on_error=self.on_error)

    def _layout(self, images: Files, role: Literal["train", "val", "test"]) -> ImageSet:
        """What is found under a role's images."""
        assert images is not None
        for path in as_list(images):
            if not path.is_dir() and not is_table(path):
                raise DatasetNotFoundError(
                    f"There is neither a folder nor a CSV file {path} to find masks in; give "
                    f"{role}_masks beside {role}_images."
                )
        one = find_split(images, role)
        assert one is not None
        return one

    def _source(
        self, role: Literal["train", "val", "test"], with_truth: bool = False
    ) -> FolderDataset:
        """The pairs that are given for a role, or found."""
        images, masks = self.images[role], self.masks[role]
        if images is not None and masks is not None:
            return FolderDataset(
                images, masks, self.size, with_truth, self.on_error, self.mask_threshold
            )
        if images is not None:
            one = self._layout(images, role)
        elif (found := self._found(role)) is not None:
            one = found
        elif self.root is not None:
            sets = find_sets([self.root])
            listed = "; ".join(
                f"{one.name}: {len(one.images)} images, "
                + ("no masks" if one.masks is None else f"{len(one.masks)} masks")
                for one in sets
            )
            raise InvalidDataError(
                f"There are no {role} images with masks in {self.root}, only {listed}; "
                f"{HOW_NAMES_MATCH}; or give {role}_images and {role}_masks."
            )
        else:
            raise ValueError(f"There are no {role} images; give {role}_images and {role}_masks.")
        if one.masks is None:
            raise InvalidDataError(
                f"There are {len(one.images)} images in {one.name} and no masks beside them; "
                f"{HOW_NAMES_MATCH}; or give {role}_masks."
            )
        return FolderDataset(one, None, self.size, with_truth, self.on_error, self.mask_threshold)

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
