"""Synthetic dermoscopy for a Trainer."""

from collections.abc import Sequence

from lesionseg.data.datamodules.base import BaseDataModule, Role
from lesionseg.data.datasets.synthetic import SyntheticLesions
from lesionseg.data.transforms.pipeline import Transforms

# Far apart, so that validation and test images do not depend on the number of training images.
_OFFSETS: dict[Role, int] = {"train": 0, "val": 1_000_000, "test": 2_000_000, "predict": 2_000_000}


class SyntheticDataModule(BaseDataModule):
    """Drawn lesions, without a download; no image has two roles.

    Args:
        train_length: Number of training images.
        val_length: Number of validation images.
        test_length: Number of test images, which are also those to predict.
        size: Height and width in pixels of the images and of the network's input; None for the
            model's.
        batch_size: Number of images in a batch; None for the model's.
        augmentation: Names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: Number of processes that draw images; 0 draws in the main process.
        seed: Seed of the drawings, of the order of training images and of their transforms.
        allow_trained_images: As in all DataModules; drawings are never refused.
        transforms: Pipeline of torchvision's v2 transforms or albumentations, which is applied to
            every training image and its mask before ``augmentation``; see
            :class:`lesionseg.data.LesionDataset`.

    Raises:
        ValueError: If a length is not between 1 and 1,000,000.

    Example:
        >>> data = SyntheticDataModule(train_length=4, size=(32, 48), batch_size=2)
        >>> data.setup("fit")
        >>> next(iter(data.train_dataloader()))["mask"].shape
        torch.Size([2, 1, 32, 48])
    """

    def __init__(
        self,
        train_length: int = 400,
        val_length: int = 80,
        test_length: int = 80,
        size: tuple[int, int] | None = None,
        batch_size: int | None = None,
        augmentation: Sequence[str] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        allow_trained_images: bool = False,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(
            size,
            batch_size,
            augmentation,
            num_workers,
            seed,
            allow_trained_images,
            transforms=transforms,
        )
        self.lengths: dict[Role, int] = {
            "train": train_length,
            "val": val_length,
            "test": test_length,
            "predict": test_length,
        }
        for role, length in self.lengths.items():
            if not 1 <= length <= 1_000_000:
                raise ValueError(f"expected {role}_length to be 1 to 1000000, got {length}")

    def build(self, role: Role) -> SyntheticLesions:
        """Return the drawings of a role; those of the same size are reused."""
        old = self.datasets.get(role)
        if isinstance(old, SyntheticLesions) and old.size == self.size:
            return old
        return SyntheticLesions(
            self.lengths[role], self.size, self.seed, _OFFSETS[role], with_truth=role == "test"
        )
