"""Weaker augmentation in the last epochs, smaller images in the first."""

import pytest
import torch
from conftest_isic import write_isic
from lightning.pytorch import Trainer

from lesionseg import ASNet
from lesionseg.data import Augmentation, ISICDataModule
from lesionseg.data.transforms.geometry import Translation, Transposition
from lesionseg.data.transforms.intensity import Resolution


class Watch(ASNet):
    """Note what arrives in each training epoch."""

    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        augmentation = self.trainer.datamodule.augmentation
        self.seen.append((tuple(batch["image"].shape[-2:]), augmentation.weakened))
        assert set(batch["mask"].unique().tolist()) <= {0.0, 1.0}
        assert batch["mask"].shape[-2:] == batch["image"].shape[-2:]


def test_sizes_and_augmentation_by_epoch(tmp_path):
    write_isic(tmp_path, 2018, "train", 4)
    data = ISICDataModule(
        tmp_path,
        split="holdout",
        size=(64, 64),
        batch_size=2,
        limit=2,
        augmentation=["horizontal_flip", "gamma"],
        plain_epochs=1,
        small_sizes=[(32, 32)],
    )
    model = Watch(encoder="efficientnet_lite0", adaptive_scale=False)
    model.seen = []
    trainer = Trainer(
        max_epochs=4,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, datamodule=data)
    assert model.seen == [
        ((32, 32), False),
        ((32, 32), False),
        ((64, 64), False),
        ((64, 64), True),
    ]
    assert model.size == (64, 64)


@pytest.mark.parametrize(
    "wrong", [{"plain_epochs": -1}, {"small_sizes": [(0, 8)]}, {"small_sizes": [(8,)]}]
)
def test_arguments_are_checked(wrong, tmp_path):
    with pytest.raises(ValueError):  # noqa: PT011
        ISICDataModule(tmp_path, **wrong)


def test_weakened_augmentation_only_flips():
    image = torch.rand(4, 3, 16, 16)
    mask = (torch.rand(4, 1, 16, 16) > 0.5).float()
    augmentation = Augmentation(
        ["transposition", "gamma"], transposition_probability=1, gamma_probability=1
    )
    augmentation.weakened = True
    changed, moved = augmentation(image, mask)
    torch.testing.assert_close(changed, image.transpose(-2, -1), rtol=0, atol=0)
    torch.testing.assert_close(moved, mask.transpose(-2, -1), rtol=0, atol=0)
    augmentation.weakened = False
    assert (augmentation(image, mask)[0] - image.transpose(-2, -1)).abs().max() > 0.01


def test_transposition_leaves_images_that_are_not_square():
    image, mask = torch.rand(2, 3, 8, 12), torch.zeros(2, 1, 8, 12)
    changed, _ = Transposition(1.0)(image.clone(), mask)
    torch.testing.assert_close(changed, image, rtol=0, atol=0)


def test_translation_moves_right_and_down_by_shares_of_the_sides():
    image = torch.rand(1, 3, 20, 40)
    moved = Translation(1.0, 0.5).change(image, torch.tensor([[0.25, 0.1]]))
    torch.testing.assert_close(moved[..., 2:, 10:], image[..., :-2, :-10])
    drawn = Translation(1.0, 0.2).draw(2000)
    assert drawn.shape == (2000, 2)
    assert 0.19 < drawn.abs().max() <= 0.2


def test_resolution_keeps_what_a_smaller_image_has():
    smooth = torch.linspace(0, 1, 32).expand(1, 3, 32, 32).contiguous()
    checker = (torch.arange(32) % 2).float().expand(1, 3, 32, 32).contiguous()
    both = torch.cat([smooth, checker])
    halved = Resolution(1.0, (2.0, 2.0)).change(both.clone(), torch.tensor([2.0, 2.0]))
    assert (halved[0] - smooth[0]).abs()[..., 2:-2].max() < 0.01
    assert (halved[1] - 0.5).abs()[..., 2:-2].max() < 0.15
    same = Resolution(1.0, (1.0, 1.0)).change(both.clone(), torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(same, both)


@pytest.mark.parametrize("wrong", [{"translation": 1.0}, {"resolution": (0.5, 2.0)}])
def test_ranges_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)
