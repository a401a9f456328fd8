import golden
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lesionseg.blocks import NonBottleneck1D


def shifted_sum(x, conv, dilation, axis):
    """A three-tap convolution along one axis, by shifting."""
    pad = [0, 0, dilation, dilation] if axis == 2 else [dilation, dilation, 0, 0]
    padded = F.pad(x, pad)
    taps = [padded.narrow(axis, tap * dilation, x.shape[axis]) for tap in range(3)]
    weight = conv.weight.flatten(2)
    out = sum(torch.einsum("oi,nihw->nohw", weight[:, :, tap], taps[tap]) for tap in range(3))
    return out + conv.bias.view(-1, 1, 1)


def normalized(x, bn):
    def column(t):
        return t.view(-1, 1, 1)

    scaled = (x - column(bn.running_mean)) / torch.sqrt(column(bn.running_var) + 1e-3)
    return scaled * column(bn.weight) + column(bn.bias)


def naive(module, dilation, x):
    out = shifted_sum(x, module.conv1, 1, 2).clamp(min=0)
    out = normalized(shifted_sum(out, module.conv2, 1, 3), module.bn1).clamp(min=0)
    out = shifted_sum(out, module.conv3, dilation, 2).clamp(min=0)
    out = normalized(shifted_sum(out, module.conv4, dilation, 3), module.bn2)
    return (out + x).clamp(min=0)


def test_reproduces_the_golden_vectors(oracles):
    vectors = golden.load(oracles, "non_bottleneck_1d")
    module = NonBottleneck1D(8, dilation=int(vectors["dilation"])).double().eval()
    state = {}
    for conv in ("conv1", "conv2", "conv3", "conv4"):
        state[f"{conv}.weight"] = vectors[f"{conv}_weight"]
        state[f"{conv}.bias"] = vectors[f"{conv}_bias"]
    for bn in ("bn1", "bn2"):
        state |= golden.norm_state(vectors, bn, bn)
        assert getattr(module, bn).eps == vectors["bn_eps"]
    module.load_state_dict(state)
    golden.assert_reproduces(module, vectors["x"], vectors["out"], vectors["grad_x"])


@settings(deadline=None, max_examples=15)
@given(
    channels=st.integers(1, 9),
    dilation=st.integers(1, 16),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_equals_the_naive_formula(channels, dilation, height, width, seed):
    module = golden.randomized(NonBottleneck1D(channels, dilation=dilation), seed)
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    golden.assert_same_function(module, lambda x: naive(module, dilation, x), x)


@pytest.mark.parametrize("channels", [1, 32, 128])
def test_parameter_count(channels):
    count = sum(p.numel() for p in NonBottleneck1D(channels).parameters())
    assert count == 12 * channels**2 + 8 * channels


def test_dropout_drops_whole_channels_of_the_residual_in_training_only():
    module = NonBottleneck1D(64, dropout=0.5)
    x = torch.randn(1, 64, 8, 8).relu()  # a dropped channel is then the input, unchanged
    dropped = (module.train()(x) == x).all(dim=(2, 3)).float().mean()
    assert 0.25 < dropped < 0.75
    assert not (module.eval()(x) == x).all(dim=(2, 3)).any()


@pytest.mark.parametrize(
    ("argument", "value"), [("channels", 0), ("dropout", 1.0), ("dropout", -0.1), ("dilation", 0)]
)
def test_refuses_impossible_arguments(argument, value):
    with pytest.raises(ValueError, match=argument):
        NonBottleneck1D(**{"channels": 8, argument: value})
