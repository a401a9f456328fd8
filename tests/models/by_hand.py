"""What training does, written out in plain torch from the papers and the docstrings.

Nothing here comes from the package: networks are small stand-ins without dropout and batch
statistics, losses and optimizers are formulas. All is in float64, so that a weight decay of 1e-4
shows in the second step.
"""

import math

import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader

PRECISION = "64-true"
SIZE = (12, 16)


class Pixels(nn.Module):
    """A segmentation network: images (N, 3, H, W) in, logits (N, 1, H, W) out."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, image):
        return 3 * self.layers(image)


class Judge(nn.Module):
    """A discriminator: (N, 3, H, W) and (N, 1, H, W) in, patch logits out."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 4, 4, stride=2, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, image, mask):
        return 2 * self.layers(torch.cat([image, mask], 1))


class Critic(nn.Module):
    """SegAN's critic: features of the image times the mask at two scales."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 2, 3, stride=2, padding=1)
        self.second = nn.Conv2d(2, 5, 3, stride=2, padding=1)

    def forward(self, image, mask):
        fine = self.first(image * mask).tanh()
        return [fine, self.second(fine).tanh()]


class Painter(nn.Module):
    """A synthesizer: masks (N, 1, H, W) in, images (N, 3, H, W) in [0, 1] out."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 3, 1)

    def forward(self, mask):
        return self.layer(mask.to(self.layer.weight.dtype)).sigmoid()


def batches(count, seed=0, images=2):
    """Batches as the DataModules give them, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number in range(count):
        image = torch.rand(images, 3, *SIZE, generator=generator, dtype=torch.float64)
        mask = torch.rand(images, 1, *SIZE, generator=generator, dtype=torch.float64) > 0.6
        made.append(
            {
                "image": image,
                "mask": mask.double(),
                "id": [f"{number}-{index}" for index in range(images)],
                "size": [SIZE] * images,
            }
        )
    return made


def loader(made):
    """A DataLoader of ready batches, in their order."""
    return DataLoader(made, batch_size=None)


# -- losses ----------------------------------------------------------------------------------------


def cross_entropy(logits, target):
    probability = logits.sigmoid()
    return -(target * probability.log() + (1 - target) * (1 - probability).log()).mean()


def dice_loss(logits, mask):
    losses = []
    for p, t in zip(logits.sigmoid(), mask, strict=True):
        losses.append(1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    return sum(losses) / len(losses)


def jaccard_loss(logits, mask):
    losses = []
    for p, t in zip(logits.sigmoid(), mask, strict=True):
        both = (p * t).sum()
        losses.append(1 - (both + 1) / (p.sum() + t.sum() - both + 1))
    return sum(losses) / len(losses)


def joint_loss(logits, mask):
    return 0.5 * cross_entropy(logits, mask) + dice_loss(logits, mask)


def says_real(verdict):
    """-log D, averaged: the loss of whoever wants the verdict "real"."""
    return -verdict.sigmoid().log().mean()


def says_fake(verdict):
    """-log(1 - D), averaged."""
    return -(1 - verdict.sigmoid()).log().mean()


# -- optimizers and schedules ----------------------------------------------------------------------


class SGD:
    """v <- momentum v + g + decay w; w <- w - rate v."""

    def __init__(self, network, momentum, decay):
        self.weights = list(network.parameters())
        self.momentum, self.decay = momentum, decay
        self.velocity = [torch.zeros_like(one) for one in self.weights]

    @torch.no_grad()
    def step(self, gradients, rate):
        for w, g, v in zip(self.weights, gradients, self.velocity, strict=True):
            v.copy_(self.momentum * v + g + self.decay * w)
            w -= rate * v


class Adam:
    """Kingma and Ba, algorithm 1; ``decay`` is added to the gradient or, decoupled, shrinks w."""

    def __init__(self, network, betas=(0.5, 0.999), decay=0.0, decoupled=False):
        self.weights = list(network.parameters())
        self.betas, self.decay, self.decoupled = betas, decay, decoupled
        self.first = [torch.zeros_like(one) for one in self.weights]
        self.second = [torch.zeros_like(one) for one in self.weights]
        self.steps = 0

    @torch.no_grad()
    def step(self, gradients, rate):
        self.steps += 1
        one, two = self.betas
        for w, g, m, v in zip(self.weights, gradients, self.first, self.second, strict=True):
            if self.decoupled:
                w *= 1 - rate * self.decay
            else:
                g = g + self.decay * w
            m.copy_(one * m + (1 - one) * g)
            v.copy_(two * v + (1 - two) * g**2)
            unbiased = m / (1 - one**self.steps), v / (1 - two**self.steps)
            w -= rate * unbiased[0] / (unbiased[1].sqrt() + 1e-8)


def poly(rate, epoch, epochs, power=0.9):
    return rate * (1 - epoch / epochs) ** power


def one_cycle(peak, step, steps, rising=0.3):
    """Up from a 25th over a share of the steps and down to a 10,000th of that, along cosines."""
    start, top = peak / 25, rising * steps - 1
    if step <= top:
        low, share = start, step / top
    else:
        low, share = start / 1e4, (steps - 1 - step) / (steps - 1 - top)
    return low + (peak - low) * (1 - math.cos(math.pi * share)) / 2


def gradients(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()))


# -- what a fit did --------------------------------------------------------------------------------


class Record(Callback):
    """Keeps each optimizer step's gradients and rate, and each batch's weights and losses."""

    def __init__(self, **networks):
        self.networks = networks
        self.gradients = {name: [] for name in networks}
        self.rates = {name: [] for name in networks}
        self.weights = {name: [] for name in networks}
        self.losses = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        (group,) = optimizer.param_groups
        mine = {id(one) for one in group["params"]}
        for name, network in self.networks.items():
            weights = list(network.parameters())
            if mine == {id(one) for one in weights}:
                self.gradients[name].append([one.grad.clone() for one in weights])
                self.rates[name].append(group["lr"])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        for name, network in self.networks.items():
            self.weights[name].append([one.detach().clone() for one in network.parameters()])
        self.losses.append(
            {
                name.removesuffix("_step"): float(value)
                for name, value in trainer.callback_metrics.items()
                if name.startswith("train/") and name.endswith("_step")
            }
        )


def same(found, expected):
    """Compare lists of tensors; probabilities are float32 also between networks in float64."""
    expected = [one.detach() for one in expected]
    torch.testing.assert_close(list(found), expected, rtol=1e-6, atol=1e-8)
