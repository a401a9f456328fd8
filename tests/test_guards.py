"""Images and masks of a wrong type or range are refused by networks, losses and models."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.utils.data import DataLoader

from lesionseg import guards
from lesionseg.data import SyntheticLesions, collate_samples
from lesionseg.guards import check_batch, check_images, check_masks
from lesionseg.losses import create_loss, loss_names
from lesionseg.models import SegmentationModule, Segmenter
from lesionseg.networks import MobileGANDiscriminator, SegANCritic, create_network

IMAGE = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
MASK = (IMAGE[:, :1] > 0.5).float()
WRONG_IMAGES = {
    "uint8": ((IMAGE * 255).byte(), "got torch.uint8; convert them to float and divide by 255"),
    "bool": (IMAGE > 0.5, "got torch.bool"),
    "0 to 255": (IMAGE * 255, r"in \[0, 1\], got 0.* to 25.*; divide them by their maximum"),
    "normalized": ((IMAGE - 0.45) / 0.22, "normalization is part of the network"),
    "not a number": (IMAGE * float("nan"), "got nan to nan"),
}


@pytest.fixture(scope="module")
def network():
    return create_network("unet", width=4).eval()


@pytest.mark.parametrize("name", WRONG_IMAGES)
def test_networks_refuse_other_images(network, name):
    images, said = WRONG_IMAGES[name]
    for dtype in (images.dtype, torch.bfloat16):
        if images.is_floating_point():
            images = images.to(dtype)
        with pytest.raises(ValueError, match=f"images of UNet to be .*{said.split(' to ')[0]}"):
            network(images)
    for judge in (MobileGANDiscriminator(), SegANCritic()):
        with pytest.raises(ValueError, match=said):
            judge(images, MASK)


def test_what_resizing_overshoots_is_taken(network):
    with torch.no_grad():
        network(1.2 * IMAGE - 0.1)
    for wrong in (1.2 * IMAGE - 0.15, 1.15 * IMAGE):
        with pytest.raises(ValueError, match="images of UNet to be in"):
            network(wrong)


@pytest.mark.parametrize("loss", loss_names())
def test_losses_refuse_masks_of_0_and_255(loss):
    function, logits = create_loss(loss), torch.randn(MASK.shape)
    for right in (MASK, MASK.bool(), MASK.byte(), MASK.double(), MASK / 2):
        assert function(logits, right) >= 0
    for wrong in (MASK * 255, (MASK * 255).byte(), (MASK * 2).long(), MASK - 0.5):
        with pytest.raises(ValueError, match="masks of the loss to be 0 and 1, got"):
            function(logits, wrong)
    with pytest.raises(ValueError, match=r"expected logits to be floating point, got torch\.int64"):
        function(logits.long(), MASK)


def test_judges_refuse_masks_of_0_and_255():
    for judge in (MobileGANDiscriminator(), SegANCritic()):
        with pytest.raises(ValueError, match="to be 0 and 1, got 0 to 255"):
            judge(IMAGE, MASK * 255)


def batch(**changes):
    return {"image": IMAGE, "mask": MASK, "id": ["a", "b"], "size": [(32, 32)] * 2} | changes


def test_models_refuse_other_batches():
    model = Segmenter("unet", {"width": 4}, size=(32, 32))
    for stage in ("validation_step", "test_step", "predict_step"):
        step = getattr(model, stage)
        with pytest.raises(ValueError, match="masks of Segmenter to be 0 and 1, got 0 to 255"):
            step(batch(mask=255 * MASK), 0)
        with pytest.raises(ValueError, match=r"images of Segmenter to be .* got torch\.uint8"):
            step(batch(image=(255 * IMAGE).byte()), 0)
        with pytest.raises(ValueError, match=r"dicts with image, .*, got list; see"):
            step([IMAGE, MASK], 0)
        with pytest.raises(ValueError, match="got a dict of mask, id, size; see"):
            step({key: value for key, value in batch().items() if key != "image"}, 0)


class Scaled(torch.utils.data.Dataset):
    """Images and masks as many programs write them."""

    def __init__(self, image=1, mask=1):
        self.data, self.image, self.mask = SyntheticLesions(4, (32, 32)), image, mask

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        sample = self.data[index]
        sample["image"] = sample["image"] * self.image
        sample["mask"] = sample["mask"] * self.mask
        return sample


@pytest.mark.parametrize("scale", [{"image": 255}, {"mask": 255}])
@pytest.mark.filterwarnings("ignore")
def test_a_fit_on_other_values_ends_at_once(scale):
    loader = DataLoader(Scaled(**scale), batch_size=2, collate_fn=collate_samples)
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True
    )
    with pytest.raises(ValueError, match=r"of Segmenter to be .* got \d+ to 255; divide"):
        trainer.fit(Segmenter("unet", {"width": 4}, size=(32, 32)), loader)


class Elsewhere(torch.Tensor):
    """A tensor of a kind whose values cannot be looked at."""


@pytest.mark.filterwarnings("ignore:.*jit.trace")
def test_values_are_not_looked_at_where_they_cannot_be(network):
    wrong = IMAGE * 255
    for unseen in (wrong.to("meta"), wrong.as_subclass(Elsewhere), wrong[:0]):
        check_images("x", unseen)
    torch.jit.trace(lambda image: check_images("x", image) or image, wrong, check_trace=False)
    torch.vmap(lambda image: check_images("x", image) or image)(wrong)

    class Guarded(nn.Module):
        def forward(self, image):
            check_images("x", image)
            check_masks("x", image)
            return image * 2

    program = torch.export.export(Guarded(), (IMAGE,))
    assert torch.equal(program.module()(wrong), wrong * 2)
    compiled = torch.compile(Guarded(), backend="eager", fullgraph=True)
    assert torch.equal(compiled(wrong), wrong * 2)


def test_on_other_devices_few_calls_are_looked_at(monkeypatch):
    looked = []
    monkeypatch.setattr(guards, "_calls", guards.Counter())
    monkeypatch.setattr(guards, "_is_on_cpu", lambda tensor: False)
    monkeypatch.setattr(
        torch, "aminmax", lambda values: looked.append(1) or (torch.zeros(()), torch.ones(()))
    )
    for _ in range(101):
        check_images("a", IMAGE)
    assert len(looked) == 3
    check_images("b", IMAGE)
    check_batch("a", {"image": IMAGE, "mask": MASK}, "image")
    assert len(looked) == 5


class Pooled(nn.Module):
    """Context of the whole image, normalized: not possible for one image in training."""

    def __init__(self):
        super().__init__()
        self.context = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3))

    def forward(self, image):
        return (image + self.context(image))[:, :1]


class Halved(nn.Module):
    def forward(self, image):
        return nn.functional.max_pool2d(image[:, :1], 8)


class Model(SegmentationModule):
    """A model that does not train."""

    training_step = validation_loss = configure_optimizers = None


def test_a_batch_of_one_image_and_images_too_small_are_refused():
    model = Model(Pooled())
    with pytest.raises(ValueError, match=r"on 1 image of 32 x 32 .* use a batch_size of 2 or more"):
        model(IMAGE[:1])
    assert model(IMAGE).shape == (2, 1, 32, 32)
    assert model.eval()(IMAGE[:1]).shape == (1, 1, 32, 32)
    model = Model(Halved())
    with pytest.raises(ValueError, match=r"images of 4 x 32 are too small .* use a larger size"):
        model(IMAGE[..., :4, :])


class Faulty(nn.Module):
    def forward(self, image):
        return image + torch.ones(7)


def test_another_fault_of_a_network_keeps_its_words():
    with pytest.raises(RuntimeError, match="must match the size"):
        Model(Faulty())(IMAGE)


def test_pan_names_its_minimum():
    network = create_network("smp:pan/mobilenet_v2").eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 128, 128)).shape == (1, 1, 128, 128)
        with pytest.raises(ValueError, match=r"at least 128, got 64 x 112; use larger images"):
            network(torch.rand(1, 3, 64, 112))
