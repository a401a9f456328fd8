"""The PH2 data set for a Trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lesionseg.data.datamodules.base import BaseDataModule, Role
from lesionseg.data.datasets.ph2 import PH2Dataset
from lesionseg.data.datasets.skip_invalid import OnError, check_on_error
from lesionseg.data.splits import check_fold, k_fold, train_val_split
from lesionseg.errors import LesionsegError


class PH2DataModule(BaseDataModule):
    """PH2's 200 images, as an external test set or split for training.

    - ``test``: all images are tested, validated and predicted; nothing is trained on.
    - ``holdout``: a seeded part is held out, validated and tested; the rest is trained on.
    - ``k-fold``: one fold is held out, validated and tested.

    Args:
        root: the unpacked ``PH2Dataset`` folder, the folder that holds it, or ``PH2 Dataset
            images`` itself; see :class:`lesionseg.data.PH2Dataset`.
        split: ``test``, ``holdout`` or ``k-fold``.
        val_fraction: share of the images that ``holdout`` holds out.
        fold: the held-out fold of ``k-fold``, from 0.
        num_folds: number of folds of ``k-fold``.
        size: Height and width in pixels of the network's input; None for the model's.
        batch_size: Images in one batch; None for the model's.
        augmentation: Names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: processes that read images; 0 reads in the main one.
        seed: of the split and of the order of training images.
        cache: folder for files of decoded images, from which training and validation images are
            read; None reads the original files in every epoch.
        on_error: ``skip`` reads every file once when the data are set up, before any split, and
            leaves out what cannot be used, with a warning that names each and the reason; ``stop``
            ends the run at the first such file.

    Raises:
        ValueError: if an argument is out of range.
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
    ) -> None:
        super().__init__(size, batch_size, augmentation, num_workers, seed, cache=cache)
        if split not in ("test", "holdout", "k-fold"):
            raise ValueError(f"split must be test, holdout or k-fold: {split!r}")
        if not 0 < val_fraction < 1:
            raise ValueError(f"val_fraction must lie between 0 and 1, such as 0.2: {val_fraction}")
        check_fold(fold, num_folds)
        self.root = Path(root).expanduser()
        self.split = split
        self.val_fraction = val_fraction
        self.fold = fold
        self.num_folds = num_folds
        self.on_error = check_on_error(on_error)

    def test_part(self) -> tuple[str, str]:
        """Return ``ph2``, and whether all of it, the held-out part or a fold is tested."""
        fold = f"fold{self.fold}of{self.num_folds}"
        return "ph2", {"test": "all", "holdout": "val", "k-fold": fold}[self.split]

    def build(self, role: Role) -> PH2Dataset:
        """Make the data set for a role.

        Raises:
            LesionsegError: if training images are asked for with ``split="test"``.
        """
        with_truth = role == "test"
        data = PH2Dataset(self.root, self.size, with_truth, self.on_error)
        if self.cache is not None and role in ("train", "val"):
            data = data.cached(self.cache)
        if self.split == "test":
            if role == "train":
                raise LesionsegError(
                    "All of PH2 is for testing; to train on it, set its split to holdout or k-fold."
                )
            return data
        if self.split == "k-fold":
            train, held_out = k_fold(data.ids, self.num_folds, self.fold, self.seed)
        else:
            train, held_out = train_val_split(data.ids, self.val_fraction, self.seed)
        return data.subset(train if role == "train" else held_out)
