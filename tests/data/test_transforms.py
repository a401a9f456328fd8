"""The user's own transforms: pipelines of torchvision and albumentations, and functions."""

import random
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from lightning.pytorch import Trainer, seed_everything
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from lesionseg.data import (
    BaseDataModule,
    FolderDataModule,
    FolderDataset,
    ISICDataModule,
    PH2DataModule,
    SyntheticDataModule,
    SyntheticLesions,
    collate_samples,
)
from lesionseg.errors import InvalidDataError
from lesionseg.models import Segmenter

SIZE = (32, 48)
FLIP = v2.RandomHorizontalFlip(1.0)
PIPELINE = v2.Compose(
    [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(30, translate=(0.2, 0.2), shear=10),
        v2.ColorJitter(0.4, 0.4, 0.4, 0.1),
    ]
)


def albumentations_pipeline():
    library = pytest.importorskip("albumentations")
    return library.Compose(
        [
            library.HorizontalFlip(p=0.5),
            library.Affine(rotate=(-30, 30), p=1),
            library.RandomBrightnessContrast(p=1),
        ]
    )


PIPELINES = pytest.mark.parametrize(
    "make", [lambda: PIPELINE, albumentations_pipeline], ids=["torchvision", "albumentations"]
)


@pytest.fixture
def folder(tmp_path):
    """Three images of noise, whose masks are where the red channel is bright."""
    rng = np.random.default_rng(0)
    for name in "abc":
        pixels = np.kron(rng.integers(0, 256, (4, 6, 3)), np.ones((10, 10, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        mask = np.where(pixels[..., 0] > 127, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / f"{name}_mask.png")
    return tmp_path


def drawings(transforms=None, count=4):
    return SyntheticLesions(count, SIZE, transforms=transforms)


def batches(data, epoch=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def same(one, other):
    return all(
        first["id"] == second["id"]
        and torch.equal(first["image"], second["image"])
        and torch.equal(first["mask"], second["mask"])
        for first, second in zip(one, other, strict=True)
    )


@PIPELINES
def test_images_stay_images_and_masks_stay_binary(make):
    data = drawings(make(), count=8)
    for sample, plain in zip(data, drawings(count=8), strict=True):
        for key, channels in (("image", 3), ("mask", 1)):
            assert type(sample[key]) is torch.Tensor
            assert sample[key].dtype == torch.float32
            assert sample[key].shape == (channels, *SIZE)
            assert sample[key].is_contiguous()
        assert sample["image"].min() >= 0
        assert sample["image"].max() <= 1
        assert set(sample["mask"].unique().tolist()) <= {0.0, 1.0}
        assert not torch.equal(sample["image"], plain["image"])
        assert (sample["id"], sample["size"]) == (plain["id"], plain["size"])


@pytest.mark.parametrize("library", ["torchvision", "albumentations"])
def test_image_and_mask_move_together(library, folder):
    if library == "albumentations":
        flip = pytest.importorskip("albumentations").HorizontalFlip(p=1)
    else:
        flip = FLIP
    plain = FolderDataset(folder, folder, SIZE)
    flipped = FolderDataset(folder, folder, SIZE, transforms=flip)
    for one, other in zip(plain, flipped, strict=True):
        torch.testing.assert_close(other["image"], one["image"].flip(-1), rtol=0, atol=1e-6)
        assert torch.equal(other["mask"], one["mask"].flip(-1))
    unmasked = FolderDataset(folder, None, SIZE, transforms=flip)[0]
    assert "mask" not in unmasked
    torch.testing.assert_close(unmasked["image"], plain[0]["image"].flip(-1), rtol=0, atol=1e-6)


def test_what_the_pipelines_are_given():
    given = {}

    def look(image, mask):
        given.update(image=image, mask=mask)
        return image, mask

    sample = drawings(look)[0]
    assert isinstance(given["image"], tv_tensors.Image)
    assert isinstance(given["mask"], tv_tensors.Mask)
    assert torch.equal(sample["image"], drawings()[0]["image"])


def test_albumentations_may_end_in_tensors():
    library = pytest.importorskip("albumentations")
    tensors = pytest.importorskip("albumentations.pytorch")
    pipeline = library.Compose([library.Transpose(p=1), tensors.ToTensorV2()])
    sample, plain = drawings(pipeline)[0], drawings()[0]
    assert torch.equal(sample["mask"], plain["mask"].transpose(1, 2))
    torch.testing.assert_close(sample["image"], plain["image"].transpose(1, 2), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        (lambda image, mask: image, "expected transforms to return image and mask, got Image of"),
        (
            lambda image, mask: (image[:1], mask),
            r"3 channels .*, got Tensor .*\(1, 32, 48\)",
        ),
        (lambda image, mask: ("nonsense", mask), r"3 channels in \[0, 1\], got str"),
        (lambda image, mask: (image * 3, mask), r"in \[0, 1\], got .* remove normalization"),
        (lambda image, mask: (image * torch.nan, mask), r"in \[0, 1\], got nan"),
        (
            lambda image, mask: (image, mask[:, 1:]),
            r"image's size \(32, 48\), got Tensor",
        ),
        (lambda image, mask: (image, mask * 0.5), "mask of 0 and 1, got 0 to 0.5"),
        (v2.Normalize([0.5] * 3, [0.2] * 3), r"in \[0, 1\], got .* from Normalize; remove"),
        (
            lambda image, mask: (image, v2.functional.resize_image(mask, [16, 24])),
            "mask of the image's size",
        ),
    ],
)
def test_what_is_no_image_and_mask_is_refused(transforms, words):
    with pytest.raises(InvalidDataError, match=words) as caught:
        drawings(transforms)[0]
    assert "\n" not in str(caught.value)


def test_albumentations_results_are_checked_too():
    library = pytest.importorskip("albumentations")
    with pytest.raises(InvalidDataError, match="remove normalization"):
        drawings(library.Normalize(p=1))[0]
    both = library.Lambda(image=lambda image, **_: image, mask=lambda mask, **_: mask * 2, p=1)
    with pytest.raises(InvalidDataError, match="mask of 0 and 1, got 0 to 2"):
        drawings(both)[0]


def test_images_of_two_sizes_are_no_batch():
    sizes = iter([(16, 16), (24, 24)])

    def crop(image, mask):
        return v2.CenterCrop(next(sizes))(image, mask)

    with pytest.raises(InvalidDataError, match=r"one size in a batch, got \[\(16, 16\), \(24"):
        collate_samples(list(drawings(crop, count=2)))
    cropped = collate_samples(list(drawings(v2.RandomCrop(16), count=2)))
    assert cropped["mask"].shape == (2, 1, 16, 16)


def test_truth_is_not_transformed():
    with pytest.raises(ValueError, match="expected with_truth to be False with transforms"):
        SyntheticLesions(1, SIZE, with_truth=True, transforms=FLIP)
    with pytest.raises(ValueError, match="with_truth"):
        SyntheticLesions(1, SIZE, with_truth=True).with_transforms(FLIP)


def test_the_cache_holds_images_before_transforms(folder, tmp_path):
    plain = FolderDataset(folder, folder, SIZE)
    cached = FolderDataset(folder, folder, SIZE, transforms=FLIP).cached(tmp_path / "cache")
    for _ in range(2):
        for one, other in zip(plain, cached.__getitems__(range(3)), strict=True):
            assert torch.equal(other["image"], one["image"].flip(-1))
            assert torch.equal(other["mask"], one["mask"].flip(-1))
    assert torch.equal(cached.with_transforms(None)[1]["image"], plain[1]["image"])


@pytest.mark.parametrize("module", [SyntheticDataModule, FolderDataModule])
def test_only_training_images_are_transformed(module, folder, tmp_path):
    options = {"size": SIZE, "batch_size": 1, "augmentation": []}
    if module is FolderDataModule:
        options |= {"root": folder, "cache": tmp_path / "cache"}
    else:
        options |= {"train_length": 2, "val_length": 2, "test_length": 2}
    plain, changed = module(**options), module(**options, transforms=FLIP)
    for data in (plain, changed):
        for stage in ("fit", "test", "predict"):
            data.setup(stage)
    for one, other in zip(batches(plain), batches(changed), strict=True):
        assert torch.equal(other["image"], one["image"].flip(-1))
        assert torch.equal(other["mask"], one["mask"].flip(-1))
    for role in ("val", "test", "predict"):
        loaders = (getattr(data, f"{role}_dataloader")() for data in (plain, changed))
        for one, other in zip(*loaders, strict=True):
            assert torch.equal(one["image"], other["image"])


def test_all_data_modules_take_transforms():
    for module in (ISICDataModule, PH2DataModule):
        assert module("nowhere", transforms=FLIP).transforms is FLIP


def test_a_foreign_data_set_takes_no_transforms():
    class Foreign(BaseDataModule):
        def build(self, role):
            return [drawings()[0]]

    data = Foreign(size=SIZE, transforms=FLIP)
    with pytest.raises(TypeError, match="expected build to return a LesionDataset"):
        data.setup("fit")


def numpy_and_python(image, mask):
    """Draw from the generators that torch does not seed."""
    return image * (0.5 + 0.25 * random.random() + 0.25 * np.random.rand()), mask  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "make",
    [lambda: PIPELINE, albumentations_pipeline, lambda: numpy_and_python],
    ids=["torchvision", "albumentations", "function"],
)
def test_an_epoch_draws_the_same_whatever_was_drawn_before(make, workers):
    def module(num_workers=workers):
        data = SyntheticDataModule(
            4, 1, 1, SIZE, batch_size=2, num_workers=num_workers, transforms=make()
        )
        data.setup("fit")
        return data

    uninterrupted = module()
    first, second = batches(uninterrupted, 0), batches(uninterrupted, 1)
    assert not same(first, second)
    images = [
        {id_: image for b in made for id_, image in zip(b["id"], b["image"], strict=True)}
        for made in (first, second)
    ]
    assert all(not torch.equal(image, images[1][id_]) for id_, image in images[0].items())
    torch.rand(3)
    assert same(batches(module(), 1), second)
    assert same(batches(module(2 - workers), 1), second)


def test_transforms_leave_the_generators_as_they_were():
    data = SyntheticDataModule(2, 1, 1, SIZE, batch_size=2, transforms=PIPELINE)
    data.setup("fit")
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    batches(data)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]  # noqa: NPY002


def test_a_data_set_of_its_own_draws_from_torchs_generator():
    for transforms in (PIPELINE, albumentations_pipeline()):
        torch.manual_seed(3)
        first = drawings(transforms)[0]["image"]
        torch.manual_seed(3)
        assert torch.equal(drawings(transforms)[0]["image"], first)
        assert not torch.equal(drawings(transforms)[0]["image"], first)


def test_a_resumed_fit_ends_as_an_uninterrupted_one(tmp_path):
    def fit(epochs, resumed=None):
        seed_everything(1)
        model = Segmenter("unet", size=SIZE, schedule="constant", network_arguments={"width": 2})
        data = SyntheticDataModule(4, 1, 1, SIZE, batch_size=2, transforms=PIPELINE)
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
        )
        trainer.fit(model, data, ckpt_path=resumed, weights_only=False)
        return trainer

    path = tmp_path / "first" / "checkpoints" / "first.ckpt"
    fit(1).save_checkpoint(path)
    resumed = fit(2, path).lightning_module.state_dict()
    for name, weights in fit(2).lightning_module.state_dict().items():
        assert torch.equal(weights, resumed[name]), name


YAML = """
class_path: lesionseg.data.SyntheticDataModule
init_args:
  size: [32, 48]
  transforms:
    class_path: torchvision.transforms.v2.Compose
    init_args:
      transforms:
        - class_path: torchvision.transforms.v2.RandomHorizontalFlip
          init_args: {p: 1.0}
        - class_path: torchvision.transforms.v2.RandomRotation
          init_args: {degrees: [-10, 10]}
"""


def test_transforms_may_stand_in_a_recipe():
    parser = ArgumentParser()
    parser.add_subclass_arguments(BaseDataModule, "data")
    config = parser.parse_object({"data": yaml.safe_load(YAML)})
    saved = parser.parse_string(parser.dump(config))
    for read in (config, saved):
        data = parser.instantiate_classes(read).data
        flip, rotation = data.transforms.transforms
        assert isinstance(flip, v2.RandomHorizontalFlip)
        assert rotation.degrees == [-10, 10]
        data.setup("fit")
        assert data.datasets["train"][0]["mask"].shape == (1, *SIZE)


def test_a_function_with_options_is_named_in_errors():
    def dim(image, mask, factor):
        return image * factor

    with pytest.raises(InvalidDataError, match="from partial"):
        drawings(partial(dim, factor=0.5))[0]
