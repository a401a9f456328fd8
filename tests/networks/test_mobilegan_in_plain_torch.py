"""MobileGAN's two networks against their documented formulas; see ``plain_torch``."""

from functools import partial

import pytest
import torch
from plain_torch import (
    HALVES,
    channel_attention,
    check,
    conv,
    conv_norm_relu,
    deconv,
    images,
    norm,
    normalize,
    position_attention,
    resize,
    trained,
)
from torch.nn import functional as F

from lesionseg.networks import MobileGANDiscriminator, create_network

# Arguments of the network and options of its plain pass.
VARIANTS = {
    "mobilegan": ({}, {}),
    "mobilegan, key stride": ({"key_stride": 2}, {"pool": "average"}),
    "mobilegan, max keys": ({"key_stride": 2, "key_pooling": "max"}, {"pool": "max"}),
    "mobilegan, dilations": ({"dilations": (1, 2, 4, 8)}, {"dilations": (1, 2, 4, 8)}),
    "mobilegan-parallel": ({}, {"parallel": True}),
    "mobilegan-stride2": ({}, {"stride": 2}),
    "mobilegan-wide": ({}, {}),
}


def generator(w, image, stride=1, dilations=(2, 4, 8, 16), parallel=False, pool=None):
    """Section 2.1 and the choices of the documentation."""
    x = scales(w["scales.branches"], normalize(image, HALVES))
    w, head, decoder = w["encoder"], w["head"], w["decoder"]
    pooled = partial(position_attention, pool=pool and partial(pool_by_two, kind=pool))
    x = down(w["0"], x, stride, pooled)
    x = down(w["1"], x, stride, pooled)
    for layer in range(2, 6):
        x = factorized(w[str(layer)], x, 1, 0.03)
    x = down(w["6"], x, stride, position_attention)
    for layer, dilation in enumerate((*dilations, *dilations), start=7):
        x = factorized(w[str(layer)], x, dilation, 0.3)
    x = non_bottleneck(w["15"], x, 1, 0.0)
    x = position_attention(w["16.position"], x) + channel_attention(w["16.channel"], x)
    if parallel:
        x = resize(x, (2 * x.shape[2], 2 * x.shape[3]))
        x = up(decoder["streams.0"], x, pooled) + up(decoder["streams.1"], x, pooled)
    else:
        x = up(decoder["1"], up(decoder["0"], x, pooled), pooled)
    x = deconv(head, x, stride=2, padding=1, output_padding=1)
    return x if stride == 1 else resize(x, image.shape[2:])


def scales(w, image):
    """Four scales, each with its own block, upsampled and averaged."""
    total = 0
    for branch, times in enumerate((1, 2, 4, 8)):
        count, channels, height, width = image.shape
        squares = image.reshape(count, channels, height // times, times, width // times, times)
        maps = conv_norm_relu(w[f"{branch}.0"], squares.mean(dim=(3, 5)), padding=1)
        total = total + resize(channel_attention(w[f"{branch}.1"], maps), (height, width)) / 4
    return total


def down(w, x, stride, attention):
    """CDA."""
    x = conv_norm_relu(w["0"], x, stride=stride, padding=1)
    return attention(w["2"], F.max_pool2d(x, 2))


def factorized(w, x, dilation, dropout):
    """FCA."""
    return channel_attention(w["1"], non_bottleneck(w["0"], x, dilation, dropout))


def non_bottleneck(w, x, dilation, dropout):
    """ERFNet, section III-A."""
    out = F.relu(conv(w["conv1"], x, padding=(1, 0)))
    out = F.relu(norm(w["bn1"], conv(w["conv2"], out, padding=(0, 1)), eps=1e-3))
    out = F.relu(conv(w["conv3"], out, padding=(dilation, 0), dilation=(dilation, 1)))
    out = conv(w["conv4"], out, padding=(0, dilation), dilation=(1, dilation))
    out = F.dropout2d(norm(w["bn2"], out, eps=1e-3), dropout, w.training)
    return F.relu(out + x)


def up(w, x, attention):
    """DUA and two FCA."""
    x = deconv(w["0.0"], x, stride=2, padding=1, output_padding=1)
    x = attention(w["1"], F.relu(norm(w["0.1"], x)))
    return factorized(w["3"], factorized(w["2"], x, 1, 0.3), 1, 0.3)


def pool_by_two(maps, kind):
    """Squares of two by two of maps with even sides."""
    count, channels, height, width = maps.shape
    squares = maps.reshape(count, channels, height // 2, 2, width // 2, 2)
    return squares.mean(dim=(3, 5)) if kind == "average" else squares.amax(dim=(3, 5))


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    torch.manual_seed(0)
    arguments, options = VARIANTS[request.param]
    return trained(create_network(request.param.split(",")[0], **arguments)), options


@pytest.mark.parametrize("training", [False, True])
def test_the_generator_is_what_its_documentation_says(variant, training):
    network, options = variant
    size = (64, 128) if "stride" in options else (48, 64)
    check(network, generator, images(*size), training=training, **options)


def discriminator(w, image, mask):
    """Section 2.2."""
    x = torch.cat([normalize(image, HALVES), mask], dim=1)
    x = leaky(conv(w["layers.0"], x, stride=2, padding=1))
    x = leaky(norm(w["layers.3"], conv(w["layers.2"], x, stride=2, padding=1)))
    x = position_attention(w["layers.5"], x)
    x = leaky(norm(w["layers.7"], conv(w["layers.6"], x, stride=2, padding=1)))
    x = channel_attention(w["layers.9"], x)
    return conv(w["layers.10"], x, stride=2, padding=1)


def leaky(x):
    return torch.maximum(x, 0.2 * x)


@pytest.mark.parametrize("training", [False, True])
def test_the_discriminator_is_what_its_documentation_says(training):
    torch.manual_seed(0)
    inputs = images(48, 64), images(48, 64, channels=1)
    check(trained(MobileGANDiscriminator()), discriminator, *inputs, training=training)
