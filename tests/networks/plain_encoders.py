"""The encoders of the networks as plain functions; see ``plain_torch``."""

import torch
from plain_torch import conv, norm
from torch.nn import functional as F


def resnet34(w, x):
    """Five maps; He et al. 2016, figure 3 and table 1: 3, 4, 6 and 3 basic blocks."""
    x = F.relu(norm(w["bn1"], conv(w["conv1"], x, stride=2, padding=3)))
    maps = [x]
    x = F.max_pool2d(x, 3, 2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _basic(w[f"layer{stage}.{block}"], x, stride)
        maps.append(x)
    return maps


def _basic(w, x, stride):
    out = F.relu(norm(w["bn1"], conv(w["conv1"], x, stride=stride, padding=1)))
    out = norm(w["bn2"], conv(w["conv2"], out, padding=1))
    return F.relu(out + _shortcut(w, x, stride))


def _shortcut(w, x, stride):
    if "downsample" not in w:
        return x
    return norm(w["downsample.1"], conv(w["downsample.0"], x, stride=stride))


def dilated_resnet50(w, x):
    """SLSDeep's: a stem of three 3x3 convolutions, dilations 2 and 4 instead of two strides."""
    for layer, stride in enumerate((2, 1, 1)):
        stem = w[f"stem.{layer}"]
        x = F.relu(norm(stem["1"], conv(stem["0"], x, stride=stride, padding=1)))
    x = F.max_pool2d(x, 3, 2, padding=1)
    for stage, (blocks, dilation) in enumerate(((3, 1), (4, 1), (6, 2), (3, 4)), start=1):
        for block in range(blocks):
            # torchvision's first block of a dilated stage still has the dilation before.
            dilated = dilation // 2 if block == 0 and dilation > 1 else dilation
            stride = 2 if stage == 2 and block == 0 else 1
            x = _bottleneck(w[f"layer{stage}.{block}"], x, stride, dilated)
    return x


def _bottleneck(w, x, stride, dilation):
    out = F.relu(norm(w["bn1"], conv(w["conv1"], x)))
    out = conv(w["conv2"], out, stride=stride, padding=dilation, dilation=dilation)
    out = F.relu(norm(w["bn2"], out))
    out = norm(w["bn3"], conv(w["conv3"], out))
    return F.relu(out + _shortcut(w, x, stride))


# Tan and Le, EfficientNet (ICML 2019), table 1: blocks, kernel, stride; a map leaves the encoder
# before each halving. "Lite" has ReLU6 and no squeeze and excitation.
_LITE0 = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))


def efficientnet_lite0(w, x):
    """Five maps, with the paddings and epsilons of TensorFlow's weights."""
    x = F.relu6(norm(w["bn1"], _same(w["conv_stem"], x, 3, 2), 1e-3))
    maps = []
    for stage, (blocks, kernel, stride) in enumerate(_LITE0):
        if stride == 2:
            maps.append(x)
        for block in range(blocks):
            x = _inverted(w[f"blocks.{stage}.{block}"], x, kernel, stride if block == 0 else 1)
    return [*maps, x]


def _inverted(w, x, kernel, stride):
    if "conv_pwl" in w:
        out = F.relu6(norm(w["bn1"], conv(w["conv_pw"], x), 1e-3))
        out = F.relu6(norm(w["bn2"], _same(w["conv_dw"], out, kernel, stride), 1e-3))
        out = norm(w["bn3"], conv(w["conv_pwl"], out), 1e-3)
    else:
        out = F.relu6(norm(w["bn1"], _same(w["conv_dw"], x, kernel, stride), 1e-3))
        out = norm(w["bn2"], conv(w["conv_pw"], out), 1e-3)
    return out + x if out.shape == x.shape else out


def _same(w, x, kernel, stride):
    """TensorFlow's padding: to ceil(size / stride), the odd pixel at the lower right."""
    lacking = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]]
    top, left = (one // 2 for one in lacking)
    x = F.pad(x, (left, lacking[1] - left, top, lacking[0] - top))
    groups = x.shape[1] if w.get("weight").shape[1] == 1 else 1
    return conv(w, x, stride=stride, groups=groups)


def vgg16(w, x, batch_norm=False):
    """Maps before each of the five poolings, as an iterator that is sent what is pooled."""
    layer = 0
    for stage, convolutions in enumerate((2, 2, 3, 3, 3)):
        for _ in range(convolutions):
            x = conv(w[f"{stage}.{layer}"], x, padding=1)
            if batch_norm:
                x = norm(w[f"{stage}.{layer + 1}"], x)
            x = torch.relu(x)
            layer += 3 if batch_norm else 2
        x = yield x
        layer += 1  # the pooling has a number of its own
