"""What the plain forward passes of the networks have in common.

A plain pass is written from the documentation with :mod:`torch.nn.functional` alone. It reads its
tensors from a state dict, and shares no code with the network that it checks.
"""

import torch
from torch.nn import functional as F

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


class Weights:
    """The tensors of a state dict under a prefix; remembers which were read."""

    def __init__(self, state, training, prefix="", read=None):
        self.state, self.training, self.prefix = state, training, prefix
        self.read = set() if read is None else read

    def __getitem__(self, name):
        return Weights(self.state, self.training, f"{self.prefix}{name}.", self.read)

    def __contains__(self, name):
        return any(key.startswith(f"{self.prefix}{name}.") for key in self.state)

    def get(self, name):
        key = self.prefix + name
        self.read.add(key)
        return self.state.get(key)

    def unread(self):
        """Names of the tensors that a network learns or measures and the plain pass ignores."""
        buffers = ("num_batches_tracked", "normalize.mean", "normalize.std")
        return {key for key in self.state if not key.endswith(buffers)} - self.read


def conv(w, x, **options):
    return F.conv2d(x, w.get("weight"), w.get("bias"), **options)


def deconv(w, x, **options):
    return F.conv_transpose2d(x, w.get("weight"), w.get("bias"), **options)


def norm(w, x, eps=1e-5):
    mean, variance = w.get("running_mean").clone(), w.get("running_var").clone()
    return F.batch_norm(x, mean, variance, w.get("weight"), w.get("bias"), w.training, 0.1, eps)


def conv_norm_relu(w, x, **options):
    """A convolution "0", its batch normalization "1" and a ReLU."""
    return F.relu(norm(w["1"], conv(w["0"], x, **options)))


def resize(x, size):
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def normalize(image, statistics):
    mean, std = (torch.tensor(one).to(image.dtype).view(3, 1, 1) for one in statistics)
    return (image - mean) / std


def position_attention(w, x, pool=None):
    """gamma * softmax(q^T k) v + x with the whole map; ``pool`` shrinks keys and values."""
    query, key, value = (conv(w[name], x) for name in ("query", "key", "value"))
    if pool is not None:
        key, value = pool(key), pool(value)
    weights = torch.softmax(query.flatten(2).mT @ key.flatten(2), dim=-1)
    attended = (weights @ value.flatten(2).mT).mT.reshape(x.shape)
    return w.get("gamma") * attended + x


def channel_attention(w, x):
    """gamma * softmax(rowmax(E) - E) X + x with E = X X^T."""
    flat = x.flatten(2)
    energy = flat @ flat.mT
    weights = torch.softmax(energy.amax(dim=-1, keepdim=True) - energy, dim=-1)
    return w.get("gamma") * (weights @ flat).reshape(x.shape) + x


def global_convolution(w, x):
    left = conv(w["left.1"], conv(w["left.0"], x, padding="same"), padding="same")
    right = conv(w["right.1"], conv(w["right.0"], x, padding="same"), padding="same")
    return left + right


def trained(network, dtype=torch.float64):
    """The network with other biases, normalizations and gates than those that it starts with."""
    generator = torch.Generator().manual_seed(11)

    def between(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith((".gamma", ".beta")):
                between(tensor, 0.3, 0.6)
            elif name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
                between(tensor, 0.5, 1.5)
            elif name.endswith(("running_mean", "bias", "shift")):
                between(tensor, -0.2, 0.2)
    return network.to(dtype)


def check(network, plain, *inputs, training, **options):
    """Compare a network with its plain pass, on the same weights and draws of dropout.

    Args:
        network: From :func:`trained`.
        plain: Takes :class:`Weights`, the inputs and the options.
        inputs: Tensors.
        training: Whether batches are normalized by their own statistics and dropout is active.
        options: More for ``plain``.
    """
    weights = Weights(network.state_dict(), training)
    with torch.no_grad():
        torch.manual_seed(13)
        expected = plain(weights, *inputs, **options)
        torch.manual_seed(13)
        actual = network.train(training)(*inputs)
    assert weights.unread() == set()
    tolerance = 1e-7 if inputs[0].dtype == torch.float64 else 1e-4
    if not isinstance(expected, list):
        expected, actual = [expected], [actual]
    for its, plain_ones in zip(actual, expected, strict=True):
        spread = float(plain_ones.std())
        assert 1e-3 < spread < float("inf")  # something to see
        torch.testing.assert_close(its, plain_ones, rtol=0, atol=spread * tolerance)


def images(*size, count=2, dtype=torch.float64, channels=3):
    generator = torch.Generator().manual_seed(1)
    return torch.rand((count, channels, *size), generator=generator).to(dtype)
