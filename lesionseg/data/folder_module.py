"""Anyone's folders of images and masks for a Trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from lesionseg.data.base_module import BaseDataModule, Role
from lesionseg.data.exclusion import Exclusion, IdLists
from lesionseg.data.folder import FolderDataset
from lesionseg.data.leaving_out import OnError, check_on_error
from lesionseg.data.splits import check_fold, k_fold, train_val_split

Folder = str | Path | None
#: Names of folders that do not tell one data set from another.
_PARTS = {
    *("image", "images", "img", "imgs", "input", "inputs", "imagestr", "imagests"),
    *("train", "training", "val", "valid", "validation", "test", "testing"),
}


class FolderDataModule(BaseDataModule):
    """Folders of images and masks, paired by file stem as in :class:`lesionseg.data.FolderDataset`.

    Without validation folders, a seeded part of the training images is held out. Without test
    folders, the validation images are tested. With ``split="k-fold"`` one fold of the training
    images is held out, validated and tested, whatever other folders there are. A role whose folder
    is not given cannot be asked for.

    Args:
        train_images: folder of training images.
        train_masks: folder of their masks.
        val_images: folder of validation images.
        val_masks: folder of their masks.
        test_images: folder of test images.
        test_masks: folder of their masks.
        predict_images: folder of images to predict; test images, then validation images, are
            predicted without it.
        val_fraction: share of training images that are held out if there is no ``val_images``.
        size: height and width in pixels of the network's input; None for the model's.
        batch_size: images in one batch; None for the model's.
        augmentation: names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``colour_constancy``, ``colour_jitter`` and ``hair``; ``[]``
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

    Raises:
        ValueError: if images come without masks or masks without images.
        LesionsegError: if there is no list of a name in ``exclude``.
    """

    def __init__(
        self,
        train_images: Folder = None,
        train_masks: Folder = None,
        val_images: Folder = None,
        val_masks: Folder = None,
        test_images: Folder = None,
        test_masks: Folder = None,
        predict_images: Folder = None,
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
    ) -> None:
        super().__init__(
            size, batch_size, augmentation, num_workers, seed, allow_trained_images, cache
        )
        self.images: dict[Role, Folder] = {
            "train": train_images,
            "val": val_images,
            "test": test_images,
            "predict": predict_images,
        }
        self.masks: dict[Role, Folder] = {
            "train": train_masks,
            "val": val_masks,
            "test": test_masks,
        }
        for role in self.masks:
            if (self.images[role] is None) != (self.masks[role] is None):
                raise ValueError(f"Give both {role}_images and {role}_masks, or neither.")
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

    def test_part(self) -> tuple[str, str]:
        """Return the name of the tested images' folder, and which part of the data they are.

        A folder that is called ``images``, ``test`` or the like goes by the one around it.
        """
        folders = cast(FolderDataset, self.datasets["test"]).pairs[0].image.absolute().parents
        names = (one.name for one in folders if one.name and one.name.lower() not in _PARTS)
        if self.split == "k-fold":
            part = f"fold{self.fold}of{self.num_folds}"
        else:
            part = "val" if self.images["test"] is None else "test"
        return next(names, "folder"), part

    def build(self, role: Role) -> FolderDataset:
        """Make the data set for a role."""
        if role == "predict":
            images = self.images["predict"] or self.images["test"] or self.images["val"]
            if images is None:
                return self._read("val")
            return FolderDataset(images, None, self.size, on_error=self.on_error)
        if role == "test" and (self.split == "k-fold" or self.images["test"] is None):
            return self._read("val", with_truth=True)
        return self._read(role, with_truth=role == "test")

    def _read(self, role: Role, with_truth: bool = False) -> FolderDataset:
        folds = self.split == "k-fold"
        held_out = role in ("train", "val") and (folds or self.images["val"] is None)
        source: Role = "train" if held_out else role
        images = self.images[source]
        if images is None:
            raise ValueError(
                f"There are no {role} images; give {source}_images and {source}_masks."
            )
        masks = self.masks[source]
        assert masks is not None
        data = FolderDataset(
            images, masks, self.size, with_truth, self.on_error, self.mask_threshold
        )
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
