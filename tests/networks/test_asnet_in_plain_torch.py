"""ASNet and the rows of its table against its documented formulas; see ``plain_torch``."""

import pytest
import torch
from plain_encoders import efficientnet_lite0, resnet34
from plain_torch import (
    HALVES,
    IMAGENET,
    check,
    conv,
    conv_norm_relu,
    images,
    norm,
    normalize,
    resize,
    trained,
)
from torch.nn import functional as F

from lesionseg.networks import create_network

LITE = {"encoder": efficientnet_lite0, "statistics": HALVES, "under": "encoder.model.model"}
ROWS = {
    "asnet": {},
    "asnet, additive": {"additive": True},
    "asnet, shared fusion": {"shared": True},
    "asnet, other dilations": {"dilations": (3, 1, 2)},
    "asnet-without-dilation": {"dilations": (1, 1, 1)},
    "asnet-without-attention": {"attention": False},
    "asnet-baseline": {"adaptive": False},
    "asnet-baseline-wide": {"adaptive": False, "wide": 3},
    "asnet-lite": LITE,
}
ARGUMENTS = {
    "asnet, additive": {"residual": "additive"},
    "asnet, shared fusion": {"share_fusion": True},
    "asnet, other dilations": {"dilations": (3, 1, 2)},
}


def asnet(
    w,
    image,
    encoder=resnet34,
    statistics=IMAGENET,
    under="encoder",
    adaptive=True,
    wide=0,
    **options,
):
    *skips, x = encoder(w[under], normalize(image, statistics))
    if adaptive:
        x = adaptive_scale(w["context"], x, **options)
    for block, skip in enumerate(reversed(skips)):
        part = w[f"decoder.{block}"]
        if block < wide:
            x = residual_block(part["widen.layers"], x)
        x = conv_norm_relu(part["conv"], x, padding=1)
        x = conv_norm_relu(part["reduce"], resize(x, skip.shape[2:]))
        x = F.relu(x + (conv(part["lateral"], skip) if "lateral" in part else skip))
    x = resize(x, image.shape[2:])
    x = conv_norm_relu(w["head.0"], x)
    x = conv_norm_relu(w["head.1"], x, padding=1)
    return conv(w["head.2"], x)


def adaptive_scale(w, x, dilations=(1, 2, 4), attention=True, shared=False, additive=False):
    """Section 2.2."""
    branches = [
        norm(w[f"norms.{i}"], conv(w["shared"], x, padding=rate, dilation=rate))
        for i, rate in enumerate(dilations)
    ]
    if attention:
        first, second = ("0", "0") if shared else ("0", "1")
        fused = scale_aware(w[f"fusions.{first}"], branches[0], branches[1])
        fused = scale_aware(w[f"fusions.{second}"], fused, branches[2])
    else:
        fused = branches[0] + branches[1] + branches[2]
    beta = w.get("beta")
    kept = x if additive else (1 - beta) * x
    return conv_norm_relu(w["project"], F.relu(beta * fused + kept))


def scale_aware(w, a, b):
    """Section 2.3, equations 1 and 2."""
    maps = F.relu(conv(w["reduce"], torch.cat([a, b], dim=1)))
    maps = F.relu(conv(w["hidden"], maps, padding=1))
    of_a, of_b = conv(w["logits"], maps, padding=1).unbind(dim=1)
    total = of_a.exp() + of_b.exp()
    return (of_a.exp() / total)[:, None] * a + (of_b.exp() / total)[:, None] * b


def residual_block(w, x):
    out = conv_norm_relu(w["0"], x, padding=1)
    return F.relu(norm(w["2"], conv(w["1"], out, padding=1)) + x)


@pytest.fixture(scope="module", params=ROWS)
def row(request):
    torch.manual_seed(0)
    name = request.param.split(",")[0]
    return request.param, trained(create_network(name, **ARGUMENTS.get(request.param, {})))


@pytest.mark.parametrize("training", [False, True])
def test_it_is_what_its_documentation_says(row, training):
    name, network = row
    # Odd sides, and a deepest map on which all dilations see something.
    check(network, asnet, images(131, 35), training=training, **ROWS[name])
