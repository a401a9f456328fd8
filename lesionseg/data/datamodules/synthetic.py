"""Synthetic dermoscopy for a Trainer."""

from collections.abc import Sequence

from lesionseg.data.datamodules.base import BaseDataModule, Role
from lesionseg.data.datasets.synthetic import SyntheticLesions

# Far apart, so that the validation and test images stay the same whatever the other lengths are.
_OFFSETS: dict[Role, int] = {"train": 0, "val": 1_000_000, "test": 2_000_000, "predict": 2_000_000}


class SyntheticDataModule(BaseDataModule):
    """Drawn lesions: nothing to download, and never an image in two roles.

    Args:
        train_length: training images.
        val_length: validation images.
        test_length: test images; the ones to predict are the same.
        size: height and width in pixels; of the images as such and of the network's input;
            None for the model's.
        batch_size: images in one batch; None for the model's.
        augmentation: names, applied in this order, of ``horizontal_flip``, ``vertical_flip``,
            ``transposition``, ``translation``, ``rotation``, ``scale``, ``elastic``, ``gamma``,
            ``clahe``, ``resolution``, ``color_constancy``, ``color_jitter`` and ``hair``; ``[]``
            for none, None for the model's.
        num_workers: processes that draw images; 0 draws in the main one.
        seed: of the drawings and of the order of training images.
        allow_trained_images: as in all DataModules; drawings are never refused.

    Raises:
        ValueError: if a length is not between 1 and 1,000,000.
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
    ) -> None:
        super().__init__(size, batch_size, augmentation, num_workers, seed, allow_trained_images)
        self.lengths: dict[Role, int] = {
            "train": train_length,
            "val": val_length,
            "test": test_length,
            "predict": test_length,
        }
        for role, length in self.lengths.items():
            if not 1 <= length <= 1_000_000:
                raise ValueError(f"{role}_length must be 1 to 1000000: {length}")

    def build(self, role: Role) -> SyntheticLesions:
        """Make the drawings for a role, or keep those that are there."""
        old = self.datasets.get(role)
        if isinstance(old, SyntheticLesions) and old.size == self.size:
            return old
        return SyntheticLesions(
            self.lengths[role], self.size, self.seed, _OFFSETS[role], with_truth=role == "test"
        )
