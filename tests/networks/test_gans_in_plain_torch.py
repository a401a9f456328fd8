"""SegAN's two networks and GAN-FCN's synthesizer against their documented formulas."""

import pytest
import torch
from plain_torch import (
    IMAGENET,
    check,
    conv,
    deconv,
    global_convolution,
    images,
    norm,
    normalize,
    resize,
    trained,
)
from torch.nn import functional as F

from lesionseg.networks import ImageSynthesizer, SegANCritic, SegANSegmentor

BOTH_MODES = pytest.mark.parametrize("training", [False, True])


def leaky(x):
    return torch.maximum(x, 0.2 * x)


def segmentor(w, image):
    """Xue et al. 2018, section 2.2; shapes of the authors' version for skin lesions."""
    x, skips, sizes = normalize(image, IMAGENET), [], []
    for level, padding in enumerate((3, 2, 2, 2, 2, 1, 1)):
        part, first = w[f"encoder.{level}"], 0
        sizes.append(x.shape[2:])
        if level == 5:  # the 4x4 kernel
            x, first = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)), 1
        x = conv(part[str(first)], x, stride=2, padding=padding)
        if level > 0:
            x = norm(part[str(first + 1)], x)
        x = leaky(x)
        if level < 6:
            x = residual(part[str(first + (3 if level else 2))], x, leaky)
        skips.append(x)
    x = leaky(norm(w["bridge.1"], conv(w["bridge.0"], x)))
    x = F.relu(norm(w["bridge.4"], conv(w["bridge.3"], x)))
    for level in range(7):
        part = w[f"decoder.{level}"]
        x = resize(torch.cat([skips.pop(), x], dim=1), sizes.pop())
        x = global_convolution(part["0"], x) if level > 1 else conv(part["0"], x, padding=1)
        x = residual(part["3"], F.relu(norm(part["1"], x)), F.relu)
    return conv(w["head"], x, padding=2)


def residual(w, x, activation):
    """One 1x1 convolution, or 1x1, 3x3 and 1x1, plus the input."""
    out, w = x, w["layers"]
    for layer in (0, 3, 6):
        if str(layer) in w:
            out = conv(w[str(layer)], out, padding="same")
            out = activation(norm(w[str(layer + 1)], out))
    return x + out


@BOTH_MODES
def test_segmentor(training):
    torch.manual_seed(0)
    check(trained(SegANSegmentor(2)), segmentor, images(130, 67), training=training)


def critic(w, image, mask, branches):
    """Features of the masked image at every stage, the global branches beside the first four."""
    features = [image * mask]
    x = features[0]
    for stage, padding in enumerate((3, 2, 1, 1, 1, 1)):
        part = w[f"stages.{stage}"]
        x = conv(part["0"], x, stride=2, padding=padding)
        x = leaky(norm(part["1"], x) if stage else x)
        found = [x]
        if branches and stage < 4:
            branch = w[f"branches.{stage}"]
            unit = branch["0"] if stage == 3 else branch
            wide = leaky(norm(unit["1"], global_convolution(unit["0"], x)))
            if stage == 3:
                wide = leaky(norm(branch["1.1"], conv(branch["1.0"], wide, padding=1)))
            found.append(wide)
        features.append(torch.cat(found, dim=1))
    return features


@BOTH_MODES
@pytest.mark.parametrize("branches", [True, False])
def test_critic(branches, training):
    torch.manual_seed(0)
    network = trained(SegANCritic(3, global_branches=branches))
    inputs = images(95, 66), images(95, 66, channels=1)
    check(network, critic, *inputs, training=training, branches=branches)


def synthesizer(w, mask, depth, dropout):
    """Isola et al. 2017, appendix 6.1, with instance normalization."""
    x, skips = conv(w["down.0"], 2 * mask - 1, stride=2, padding=1), []
    for level in range(1, depth):
        skips.append(x)
        part = w[f"down.{level}"]
        x = conv(part["1"], leaky(x), stride=2, padding=1)
        if level < depth - 1:
            x = instance_norm(part["2"], x)
    for level in range(depth - 1):
        part = w[f"up.{level}"]
        x = deconv(part["1"], F.relu(x), stride=2, padding=1)
        x = instance_norm(part["2"], x)
        if level < 3:
            x = F.dropout(x, dropout, w.training)
        x = torch.cat([x, skips.pop()], dim=1)
    return torch.sigmoid(deconv(w["head.1"], F.relu(x), stride=2, padding=1))


def instance_norm(w, x):
    variance, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
    scale, shift = (w.get(name)[:, None, None] for name in ("weight", "bias"))
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


@BOTH_MODES
@pytest.mark.parametrize(("depth", "dropout"), [(3, 0.5), (5, 0.4)])
def test_synthesiser(depth, dropout, training):
    torch.manual_seed(0)
    network = trained(ImageSynthesizer(4, depth, dropout), torch.float32)
    mask = images(64, 96, channels=1, dtype=torch.float32)
    check(network, synthesizer, mask, training=training, depth=depth, dropout=dropout)
