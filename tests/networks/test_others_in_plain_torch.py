"""The other rows of the papers' tables against their documented formulas; see ``plain_torch``."""

import pytest
import torch
from plain_encoders import dilated_resnet50, vgg16
from plain_torch import (
    IMAGENET,
    check,
    conv,
    conv_norm_relu,
    deconv,
    images,
    norm,
    normalize,
    resize,
    trained,
)
from torch.nn import functional as F

from lesionseg.networks import FCN8s, create_network


def check_both_modes(network, plain, image):
    for training in (False, True):
        check(network, plain, image, training=training)


def made(name, dtype=torch.float64, **arguments):
    torch.manual_seed(0)
    return trained(create_network(name, **arguments), dtype)


def unet(w, image):
    """Ronneberger et al. 2015, figure 1, with padding and normalization."""
    x, skips = normalize(image, IMAGENET), []
    for stage in range(5):
        x = F.max_pool2d(x, 2) if stage else x
        for layer in "01":
            x = conv_norm_relu(w[f"encoder.{stage}.{layer}"], x, padding=1)
        skips.append(x)
    skips.pop()
    for stage in range(4):
        x = torch.cat([skips.pop(), deconv(w[f"ups.{stage}"], x, stride=2)], dim=1)
        for layer in "01":
            x = conv_norm_relu(w[f"decoder.{stage}.{layer}"], x, padding=1)
    return conv(w["head"], x)


def test_unet():
    check_both_modes(made("unet", width=4), unet, images(48, 64))


def multiresunet(w, image):
    """Ibtehaz and Rahman 2020, figures 3 to 5."""
    x, skips = normalize(image, IMAGENET), []
    for stage in range(5):
        x = multires_block(w[f"encoder.{stage}"], F.max_pool2d(x, 2) if stage else x)
        skips.append(x)
    skips.pop()
    for stage, length in enumerate((1, 2, 3, 4)):
        path = skips.pop()
        for block in range(length):
            part = w[f"paths.{stage}.{block}"]
            both = conv_norm(part["shortcut"], path) + F.relu(conv_norm(part["conv"], path))
            path = norm(part["norm"], F.relu(both))
        x = torch.cat([deconv(w[f"ups.{stage}"], x, stride=2), path], dim=1)
        x = multires_block(w[f"decoder.{stage}"], x)
    return conv_norm(w["head"], x)


def multires_block(w, x):
    chain = [x]
    for name in ("conv1", "conv2", "conv3"):
        chain.append(F.relu(conv_norm(w[name], chain[-1])))
    joined = norm(w["norm1"], torch.cat(chain[1:], dim=1))
    return norm(w["norm2"], F.relu(conv_norm(w["shortcut"], x) + joined))


def conv_norm(w, x):
    x = norm(w["1"], conv(w["0"], x, padding="same"))
    shift = w["1"].get("shift")
    return x if shift is None else x + shift


@pytest.mark.parametrize("authors_layers", [False, True])
def test_multiresunet(authors_layers):
    network = made("multiresunet", width=6, authors_layers=authors_layers)
    check_both_modes(network, multiresunet, images(32, 48))


def fcn8s(w, image):
    """Long et al. 2015, section 4.2: scores of pool3, pool4 and fc7, added at each stride."""
    stages, pools = vgg16(w["encoder.stages"], normalize(image, IMAGENET)), []
    x = next(stages)
    for _ in range(4):
        pools.append(F.max_pool2d(x, 2))
        x = stages.send(pools[-1])
    x = F.max_pool2d(x, 2)
    x = F.dropout(F.relu(conv(w["encoder.fc6"], x, padding=3)), 0.5, w.training)
    x = F.dropout(F.relu(conv(w["encoder.fc7"], x)), 0.5, w.training)
    x = deconv(w["up_fc7"], conv(w["score_fc7"], x), stride=2, padding=1)
    x = deconv(w["up_pool4"], x + conv(w["score_pool4"], pools[3]), stride=2, padding=1)
    x = deconv(w["up_pool3"], x + conv(w["score_pool3"], pools[2]), stride=8, padding=4)
    return lesion_against_background(x)


def lesion_against_background(scores):
    """The logit of the lesion's share of the softmax over two."""
    shares = torch.softmax(scores, dim=1)
    return torch.log(shares[:, 1:]) - torch.log(shares[:, :1])


def test_fcn8s():
    network = made("fcn8s", torch.float32)  # 134 million parameters
    check_both_modes(network, fcn8s, images(64, 32, dtype=torch.float32))


def test_gan_fcns_network_is_fcn8s():
    with torch.device("meta"):
        assert type(create_network("gan_fcn")) is FCN8s


def segnet(w, image):
    """Badrinarayanan et al. 2017, section 3: maxima go back to where they came from."""
    stages, places = vgg16(w["encoder"], normalize(image, IMAGENET), batch_norm=True), []
    x = next(stages)
    for stage in range(5):
        x, place = F.max_pool2d(x, 2, return_indices=True)
        places.append(place)
        x = stages.send(x) if stage < 4 else x
    for stage, convolutions in enumerate((3, 3, 3, 2, 1)):
        place = places.pop()
        count, channels, height, width = x.shape
        flat = x.new_zeros(count, channels, 4 * height * width)
        x = flat.scatter(2, place.flatten(2), x.flatten(2))
        x = x.reshape(count, channels, 2 * height, 2 * width)
        for layer in range(convolutions):
            x = conv_norm_relu(w[f"decoder.{stage}.{layer}"], x, padding=1)
    return conv(w["head"], x, padding=1)


def test_segnet():
    check_both_modes(made("segnet"), segnet, images(32, 64))


def frcn(w, image):
    """Al-masni et al. 2018: no subsampling, every convolution with a ReLU but the scores."""
    stages = vgg16(w["encoder"], normalize(image, IMAGENET))
    x = next(stages)
    for _ in range(4):
        x = stages.send(x)
    for layer in (0, 2, 4):
        x = F.relu(conv(w[f"decoder.{layer}"], x, padding=1))
    return lesion_against_background(conv(w["head"], x))


def test_frcn():
    check(made("frcn"), frcn, images(7, 10, count=1), training=False)


def slsdeep(w, image):
    """Sarker et al. 2018, section 2, as documented."""
    x = dilated_resnet50(w["encoder"], normalize(image, IMAGENET))
    maps = [x]
    for branch, bins in enumerate((1, 2, 3, 6)):
        context = conv_norm_relu(w[f"pyramid.{branch}.1"], F.adaptive_avg_pool2d(x, bins))
        maps.append(resize(context, x.shape[2:]))
    x = conv_norm_relu(w["fuse.0"], torch.cat(maps, dim=1), padding=1)
    x = resize(F.dropout(x, 0.5, w.training), image.shape[2:])
    scores = norm(w["head.1"], conv(w["head.0"], x, padding=1))
    return lesion_against_background(scores)


def test_slsdeep():
    check_both_modes(made("slsdeep"), slsdeep, images(33, 42))
