"""GAN-FCN: its two stages, and the synthetic images."""

import math

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_gan_fcn, tiny_trainer
from lightning.pytorch.callbacks import Callback

from lesionseg.errors import LesionsegError
from lesionseg.models.gan_fcn import move_masks
from lesionseg.networks import create_network

NETWORKS = ("synthesizer", "discriminator", "network")


def disc(*size, count=64):
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    inside = (y - size[0] / 2 + 0.5) ** 2 + (x - size[1] / 2 + 0.5) ** 2 < (min(size) / 4) ** 2
    return inside.float().expand(count, 1, *size).contiguous()


class Watch(Callback):
    """Notes which networks change in each epoch, and the rate of the segmenting one's optimizer."""

    def __init__(self):
        self.changed, self.rates = [], []

    def on_train_epoch_start(self, trainer, pl_module):
        self.before = {key: value.clone() for key, value in pl_module.state_dict().items()}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append(pl_module.optimizers()[2].param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer, pl_module):
        after = pl_module.state_dict()
        self.changed.append(
            {
                name
                for name in NETWORKS
                for key in after
                if key.startswith(name + ".") and not torch.equal(after[key], self.before[key])
            }
        )


def fit(tmp_path, epochs=3, trainer=None, **arguments):
    model, watch = tiny_gan_fcn(**arguments), Watch()
    trainer = tiny_trainer(tmp_path, max_epochs=epochs, callbacks=[watch], **(trainer or {}))
    trainer.fit(model, tiny_data(train_length=16))
    return model, watch, trainer


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    torch.manual_seed(0)
    return fit(tmp_path_factory.mktemp("gan_fcn"))


def test_first_the_gan_trains_then_the_network_alone(fitted):
    _, watch, trainer = fitted
    assert watch.changed == [{"synthesizer", "discriminator"}, {"network"}, {"network"}]
    assert trainer.global_step == 2 * 4 + 4 + 4


def test_every_term_is_logged(fitted):
    _, _, trainer = fitted
    assert {name for name in trainer.callback_metrics if name.startswith("train/")} >= {
        *(f"train/generator/{name}" for name in ("adversarial", "l1", "loss")),
        *(f"train/discriminator/{name}" for name in ("real", "fake", "loss")),
        *(f"train/segmenter/{name}" for name in ("real", "synthetic", "loss")),
    }


def test_one_cycle_spans_the_epochs_in_which_the_network_trains(fitted):
    model, watch, _ = fitted
    assert model.lr_schedulers().length == 8
    resting, training = watch.rates[:4], watch.rates[4:]
    assert len(set(resting)) == 1
    assert training[0] == resting[0] < max(training) / 10
    assert max(training) == pytest.approx(1e-3, rel=0.1)
    assert training[-1] < max(training) / 10
    assert model.optimizers()[0].param_groups[0]["lr"] == 2e-4


def test_poly_starts_when_the_network_does(tmp_path):
    model, watch, _ = fit(tmp_path, schedule="poly", synthesis_epochs=2, epochs=4)
    assert watch.rates[: 3 * 4] == [1e-3] * 12
    assert watch.rates[-1] == pytest.approx(1e-3 * 0.5**0.9)
    assert model.optimizers()[2].param_groups[0]["lr"] == 0


def test_accumulation_and_clip_are_the_models_own(tmp_path):
    model, _, trainer = fit(
        tmp_path,
        epochs=2,
        segmenter_accumulation=3,
        generator_accumulation=4,
        segmenter_clip=1e-3,
    )
    assert trainer.global_step == 1 + 4 + 2
    assert model.lr_schedulers().length == 2
    grads = torch.ones(10).requires_grad_()
    optimizer = model.optimizers(use_pl_optimizer=False)[2]
    optimizer.param_groups[0]["params"], grads.grad = [grads], torch.ones(10)
    model.on_before_optimizer_step(optimizer)
    assert grads.grad.norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_the_trainers_arguments_are_refused_with_all_three_names(tmp_path):
    with pytest.raises(LesionsegError, match="segmenter_clip"):
        fit(tmp_path, trainer={"gradient_clip_val": 1.0})


def test_a_fit_that_never_reaches_the_network_warns(tmp_path):
    with pytest.warns(UserWarning, match="does not train"):
        fit(tmp_path, epochs=1)


def test_discriminator_gradients_do_not_reach_the_generator():
    model = tiny_gan_fcn()
    batch = {"image": torch.rand(2, 3, *SIZE), "mask": disc(*SIZE, count=2)}
    made = model.generate(batch)
    sum(model.discriminator_terms(batch, made.detach()).values()).backward()
    assert all(parameter.grad is None for parameter in model.synthesizer.parameters())
    sum(model.generator_terms(batch, made).values()).backward()
    assert all(parameter.grad is not None for parameter in model.synthesizer.parameters())


@pytest.mark.parametrize(("share", "painted"), [(0.0, 0), (0.3, 2), (0.5, 2), (1.0, 4), (1.6, 7)])
def test_share_of_synthetic_images(share, painted, monkeypatch):
    model, seen = tiny_gan_fcn(synthetic_share=share), []
    monkeypatch.setattr(
        model.network, "forward", lambda image: seen.append(image) or image[:, :1] * 4 - 2
    )
    batch = {"image": torch.rand(4, 3, *SIZE), "mask": disc(*SIZE, count=4)}
    terms = model.segmenter_terms(batch)
    assert len(seen) == 1
    assert len(seen[0]) == 4 + painted
    assert torch.equal(seen[0][:4], batch["image"])
    real = model.loss(batch["image"][:, :1] * 4 - 2, batch["mask"])
    torch.testing.assert_close(terms["real"], real * 4 / (4 + painted))
    assert ("synthetic" in terms) == (painted > 0)
    assert not seen[0].requires_grad


def test_synthesize_paints_detached_images():
    model = tiny_gan_fcn()
    mask = disc(64, 32, count=2)
    image = model.synthesize(mask)
    assert image.shape == (2, 3, 64, 32)
    assert image.min() >= 0
    assert image.max() <= 1
    assert not image.requires_grad
    assert not torch.equal(image, model.synthesize(mask))
    model.eval()
    assert torch.equal(model.synthesize(mask), model.synthesize(mask.bool()))


@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_moved_masks_are_turned_and_scaled_but_not_distorted(size):
    torch.manual_seed(0)
    mask = disc(*size)
    moved = move_masks(mask)
    assert moved.shape == mask.shape
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    factors = moved.sum((1, 2, 3)) / mask.sum((1, 2, 3))
    assert 0.6 < factors.min() < 0.8
    assert 1.2 < factors.max() < 1.5
    for one in moved[:, 0].bool():  # a disc stays as wide as high
        height, width = one.any(1).sum(), one.any(0).sum()
        assert abs(height - width) <= 2
    centres = torch.stack([one[0].nonzero().float().mean(0) for one in moved])
    for side, spread in zip(size, centres.std(0), strict=True):
        assert spread == pytest.approx(2 * 0.1 * side / math.sqrt(12), rel=0.3)


def test_moved_masks_are_turned_and_mirrored():
    torch.manual_seed(0)
    bar = torch.zeros(64, 1, 64, 64)
    bar[..., 30:34, 16:48] = 1
    moved = move_masks(bar)[:, 0].bool()
    upright = sum(int(one.any(1).sum() > one.any(0).sum()) for one in moved)
    assert 16 < upright < 48


def test_checkpoint_forgets_the_weights_of_the_nested_network(tmp_path):
    encoder = tmp_path / "encoder.pt"
    torch.save(create_network("asnet-baseline").encoder.state_dict(), encoder)
    arguments = {"encoder_weights": str(encoder)}
    model = tiny_gan_fcn(network="asnet-baseline", network_arguments=arguments)
    checkpoint = {"state_dict": {}, "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(checkpoint)
    assert checkpoint["hyper_parameters"]["network_arguments"] == {"encoder_weights": None}
    assert checkpoint["lesionseg"]["network"]["name"] == "asnet-baseline"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"synthesis_epochs": -1}, "synthesis_epochs"),
        ({"synthesis_epochs": 0}, "untrained"),
        ({"synthetic_share": -0.5}, "synthetic_share"),
        ({"l1_weight": -1.0}, "l1_weight"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"segmenter_clip": 0.0}, "segmenter_clip"),
        ({"segmenter_accumulation": 0}, "segmenter_accumulation"),
        ({"schedule": "linear"}, "schedule"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"synthesizer_depth": 1}, "depth"),
    ],
)
def test_arguments_are_checked(arguments, word):
    with pytest.raises(ValueError, match=word):
        tiny_gan_fcn(**arguments)
